import { t } from 'elysia'
import type { Collection } from '../../domain/collection.ts'
import type { Shown } from './ports-tmp.ts'
import { type AnyRecordBody, createRecordBody } from './record-schemas.ts'

/** A record of any collection in a response. */
export const AnyRecord = t.Unsafe<object>(t.Object({}, { additionalProperties: true, title: 'AnyRecord' }))

const bodies = new WeakMap<Collection, ReturnType<typeof createRecordBody>>()

const bodyOf = (collection: Collection): ReturnType<typeof createRecordBody> => {
  const known = bodies.get(collection)
  if (known !== undefined) return known
  const body = createRecordBody(collection)
  bodies.set(collection, body)
  return body
}

/** A record as REST shows it. */
export const shownRecord = ({ collection, record, expanded }: Shown): AnyRecordBody => {
  const shown = bodyOf(collection)(record)
  return expanded === undefined ? shown : { ...shown, expanded }
}
