type Members = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The JSON Merge Patch (RFC 7396) that turns one JSON value into another. Throws if a member would have to become null,
 * which in a merge patch removes it.
 */
export const mergePatchBetween = (before: unknown, after: unknown): unknown => {
  if (!isObject(after)) return after
  const former = isObject(before) ? new Map(Object.entries(before)) : new Map<string, unknown>()
  const removed = [...former.keys()].filter((name) => !Object.hasOwn(after, name))
  const changed = Object.entries(after).filter(
    ([name, value]) => !former.has(name) || JSON.stringify(former.get(name)) !== JSON.stringify(value),
  )
  const patches = changed.map(([name, value]) => {
    if (value === null) throw new Error(`“${name}” cannot become null: leave it out to remove it`)
    return [name, mergePatchBetween(former.get(name), value)] as const
  })
  return Object.fromEntries([...removed.map((name) => [name, null] as const), ...patches])
}
