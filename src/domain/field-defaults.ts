import type { FieldSchema } from './collection.ts'
import { isJsonObject, type Json, type JsonObject } from './merge-patch.ts'

const OWN = { writable: true, enumerable: true, configurable: true } as const

/** An assignment would set the prototype by `__proto__`. */
const setOwn = (object: Record<string, Json>, name: string, value: Json): void => {
  if (name === '__proto__') Object.defineProperty(object, name, { value, ...OWN })
  else object[name] = value
}

/** Gives a value the defaults of its missing members, at any depth. */
type Fill<T extends Json> = (value: T) => T

/** Null where there are no defaults. */
const fillOf = ({ properties, items }: FieldSchema): Fill<Json> | null => {
  const fillItem = items === undefined ? null : fillOf(items)
  const fillMembers = properties === undefined ? null : fillMembersOf(properties)
  if (fillItem === null && fillMembers === null) return null
  return (value) => {
    if (Array.isArray(value)) return fillItem === null ? value : value.map(fillItem)
    return isJsonObject(value) && fillMembers !== null ? fillMembers(value) : value
  }
}

const fillMembersOf = (fields: Readonly<Record<string, FieldSchema>>): Fill<JsonObject> | null => {
  const members = Object.entries(fields)
    .map(([name, field]) => ({ name, initial: field.default, fill: fillOf(field) }))
    .filter(({ initial, fill }) => initial !== undefined || fill !== null)
  if (members.length === 0) return null
  return (value) => {
    const filled: Record<string, Json> = { ...value }
    for (const { name, initial, fill } of members) {
      const given = Object.hasOwn(value, name) ? value[name] : undefined
      if (given !== undefined) {
        if (fill !== null) setOwn(filled, name, fill(given))
      } else if (initial !== undefined) setOwn(filled, name, initial)
    }
    return filled
  }
}

/** Compiles what gives an object the defaults of its missing members, and of those within it. */
export const compileDefaults = (fields: Readonly<Record<string, FieldSchema>>): Fill<JsonObject> =>
  fillMembersOf(fields) ?? ((value) => value)
