import type { ReferenceField } from '../domain/collection.ts'
import type { Expression } from '../domain/expression.ts'

const memberOf = (name: string): Expression => ({
  kind: 'member',
  of: { kind: 'variable', name: 'record' },
  name,
  time: false,
})

const literal = (value: number): Expression => ({ kind: 'literal', value })

/** Holds for records with this value in a field, or with this `id` or `owner_id`. */
export const fieldIs = (name: string, value: number): Expression => ({
  kind: 'equal',
  left: memberOf(name),
  right: literal(value),
})

/** Holds for records that somebody else owns, or nobody. */
export const isNotOwnedBy = (userId: number): Expression => ({
  kind: 'unequal',
  left: memberOf('owner_id'),
  right: literal(userId),
})

/** Holds for records that reference what has this id. */
export const referencesId = ({ name, isList }: ReferenceField, id: number): Expression =>
  isList ? { kind: 'in', left: literal(id), right: memberOf(name) } : fieldIs(name, id)
