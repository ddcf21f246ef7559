export type Json = null | boolean | number | string | readonly Json[] | JsonObject

export interface JsonObject {
  readonly [name: string]: Json
}

export const isJsonObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether two are the same as JSON values: the order of members does not matter, that of elements does. */
export const isEqualJson = (one: Json, other: Json): boolean => {
  if (one === other) return true
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false
    return one.every((value, index) => isEqualJson(value, other[index]))
  }
  if (!isJsonObject(one) || !isJsonObject(other)) return false
  const members = Object.entries(one)
  return (
    members.length === Object.keys(other).length &&
    members.every(([name, value]) => {
      const counterpart = Object.hasOwn(other, name) ? other[name] : undefined
      return counterpart !== undefined && isEqualJson(value, counterpart)
    })
  )
}

/**
 * JSON Merge Patch (RFC 7396): null removes a member, an object is merged into the existing one, any other value
 * replaces it. Neither argument is changed. `__proto__` is an ordinary member.
 */
export const mergePatch = (target: JsonObject, patch: JsonObject): JsonObject => {
  const merged = new Map(Object.entries(target))
  for (const [name, value] of Object.entries(patch)) {
    const before = merged.get(name)
    if (value === null) merged.delete(name)
    else merged.set(name, isJsonObject(value) ? mergePatch(isJsonObject(before) ? before : {}, value) : value)
  }
  return Object.fromEntries(merged)
}
