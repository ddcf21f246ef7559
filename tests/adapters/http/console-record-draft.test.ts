import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { mergePatchBetween } from '../../../src/adapters/http/console/app/merge-patch.ts'
import { changesOf, choiceText, draftOf } from '../../../src/adapters/http/console/app/record-draft.ts'
import type { FieldOf, FieldSchema, RecordBody } from '../../../src/adapters/http/console/app/types.ts'
import { isJsonObject, type Json, mergePatch } from '../../../src/domain/merge-patch.ts'

const fieldsOf = (schemas: Readonly<Record<string, FieldSchema>>): readonly FieldOf[] =>
  Object.entries(schemas).map(([name, schema]) => ({ name, schema, required: false }))

const recordOf = (values: Readonly<Record<string, unknown>>): RecordBody => ({
  ...{ id: 1, owner_id: 1, version: 1, created_at: '', updated_at: '' },
  ...values,
})

/** What is sent when somebody types this text into the only field. */
const typed = (schema: FieldSchema, stored: unknown, text: string) => {
  const fields = fieldsOf({ field: schema })
  const record = stored === undefined ? null : recordOf({ field: stored })
  return changesOf(fields, { ...draftOf(fields, record), field: text }, record)
}

test('a member that is taken out of a JSON object is removed from the record', () => {
  const stored = { street: 'Main St', zip: '123', geo: { lat: 1, lng: 2 } }
  const { values } = typed({ type: 'object' }, stored, '{"street":"Main St","zip":"456","geo":{"lat":1}}')
  expect(values).toEqual({ field: { zip: '456', geo: { lng: null } } })
})

test('a member of a JSON object that would become null is a fault, because a change cannot store it', () => {
  const { values, faults } = typed({ type: 'object' }, { zip: '123', none: null }, '{"zip":null,"none":null}')
  expect({ values, faults }).toEqual({
    values: {},
    faults: [{ pointer: '/field', detail: '“zip” cannot become null: leave it out to remove it' }],
  })
})

test('a new record is sent as it was typed', () => {
  expect(typed({ type: 'object' }, undefined, '{"zip":null}').values).toEqual({ field: { zip: null } })
})

test('a number that would become another one is sent as text, for the server to refuse', () => {
  for (const text of ['12345678901234567890', '1e400', 'Infinity']) {
    expect(typed({ type: 'integer' }, 1, text).values).toEqual({ field: text })
  }
  expect(typed({ type: 'number' }, 1, '1e21').values).toEqual({ field: 1e21 })
})

test('a choice is shown as text, or as JSON if it is no text', () => {
  const choices = ['open', 1, null, { a: 1 }, [2, 'x']]
  expect(choices.map(choiceText)).toEqual(['open', '1', 'null', '{"a":1}', '[2,"x"]'])
})

/** Without null, which no merge patch stores. */
const withoutNull = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('null'))

test('a merge patch between two values turns the one into the other', () => {
  fc.assert(
    fc.property(withoutNull, withoutNull, (one, other) => {
      const [before, after]: readonly Json[] = JSON.parse(JSON.stringify([one, other]))
      const patch: Json = JSON.parse(JSON.stringify(mergePatchBetween(before, after)))
      const merged = mergePatch({ value: before ?? null }, { value: patch })
      expect(merged).toEqual({ value: after ?? null })
      expect(isJsonObject(merged)).toBe(true)
    }),
  )
})
