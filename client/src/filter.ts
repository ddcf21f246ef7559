export type FilterValue = string | number | boolean | null | Date | readonly FilterValue[]

const literal = (value: FilterValue): string => {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return JSON.stringify(value)
  if (value instanceof Date) return `timestamp("${value.toISOString()}")`
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (!Number.isFinite(value)) throw new TypeError(`A filter cannot contain ${value}`)
  return `(${value})`
}

/**
 * Writes an expression in which every value is quoted, whatever it contains.
 *
 * @example
 * ```ts
 * const title = 'Anything "at all"'
 * const text = filter`title == ${title} && created_at < ${new Date()}`
 * await client.collection('tasks').list({ filter: text })
 * ```
 */
export const filter = (texts: TemplateStringsArray, ...values: readonly FilterValue[]): string =>
  texts.reduce((text, next, index) => {
    const value = values[index - 1]
    return text + literal(value === undefined ? null : value) + next
  })
