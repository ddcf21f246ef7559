import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import type { Call } from '../../support/call.ts'
import { createMailbox } from '../../support/mail.ts'
import { callsOf } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({}, { mailer: createMailbox() })
const admin = callsOf(skep, await createFirstAdmin(skep))
const ann = callsOf(skep, await skep.member())
const anyone = callsOf(skep)

const NOTES = { schema: { type: 'object', properties: { text: { type: 'string', maxLength: 100 } } } }
const notesWith = (create: string | null) => ({ ...NOTES, rules: { create } })

const asJson = (body: string): Call => ({ body, headers: { 'content-type': 'application/json' } })

/** Each is refused with another status where the caller may create a record. */
const FAULTS: readonly (readonly [fault: string, call: Call])[] = [
  ['a body that is not JSON', asJson('{')],
  ['a body that is not an object', asJson('[]')],
  ['a body of another type', { body: 'text', headers: { 'content-type': 'text/plain' } }],
  ['a body that is too large', asJson(`"${'x'.repeat(1_100_000)}"`)],
  ['a field that does not exist', { json: { other: 1 } }],
  ['a key that is not one', { json: {}, headers: { 'idempotency-key': 'ü' } }],
]

/** The same for a revert, each with the status where the caller may revert the record. */
const REVERT_FAULTS = FAULTS.slice(0, 4)

const statusOf = async (calls: typeof ann, name: string, call: Call) =>
  (await calls.call('POST', `/collections/${name}/records/`, call)).status

describe.each(FAULTS)('creating a record with %s', (_, call) => {
  test('is 404 where a collection was deleted, even if the caller has created a record before', async () => {
    await admin.define('gone', NOTES)
    expect(await statusOf(ann, 'gone', { json: {} })).toBe(201)
    expect(await statusOf(ann, 'gone', call)).toBeOneOf([400, 413, 415, 422])
    expect(await statusOf(ann, 'gone', { json: {} })).toBe(201)
    expect((await admin.call('DELETE', '/collections/gone?records=2')).status).toBe(204)
    expect(await statusOf(ann, 'gone', call)).toBe(404)
  })

  test('is 401 for someone without a token where anyone else may, also if they could before', async () => {
    await admin.define('signed', notesWith('true'))
    expect(await statusOf(anyone, 'signed', { json: {} })).toBe(201)
    await admin.define('signed', notesWith('auth != null'))
    expect(await statusOf(anyone, 'signed', call)).toBe(401)
  })

  test('is 403 where only admins may, also if the caller could before', async () => {
    await admin.define('closed', notesWith('true'))
    expect(await statusOf(ann, 'closed', { json: {} })).toBe(201)
    await admin.define('closed', notesWith(null))
    expect(await statusOf(ann, 'closed', call)).toBe(403)
  })
})

describe.each(REVERT_FAULTS)('reverting a record with %s', (_, call) => {
  const rulesWith = (rules: object) => ({ ...NOTES, rules: { read: 'true', create: 'true', update: 'true', ...rules } })
  const revert = async (calls: typeof ann, path: string) =>
    (await calls.call('POST', `/collections/reverts/records/${path}/revert`, call)).status

  test('is 404 or 401 where the caller cannot read the record', async () => {
    await admin.define('reverts', rulesWith({ read: 'auth.id == record.owner_id' }))
    const { body } = await admin.create('reverts', { text: 'a' })
    expect(await revert(ann, `${body.id}`)).toBe(404)
    expect(await revert(ann, '999999')).toBe(404)
    expect(await revert(anyone, `${body.id}`)).toBe(401)
  })

  test('is 403 or 401 where the caller may not change the record', async () => {
    await admin.define('reverts', rulesWith({ update: 'auth.id == record.owner_id' }))
    const { body } = await admin.create('reverts', { text: 'a' })
    expect(await revert(ann, `${body.id}`)).toBe(403)
    expect(await revert(anyone, `${body.id}`)).toBe(401)
  })

  test('is 403 for a deleted record that the caller may not create', async () => {
    await admin.define('reverts', rulesWith({ delete: 'true' }))
    const { body } = await admin.create('reverts', { text: 'a' })
    await admin.remove('reverts', body.id)
    expect(await revert(ann, `${body.id}`)).toBeOneOf([400, 413, 415, 422])
    await admin.define('reverts', rulesWith({ create: null, delete: 'true' }))
    expect(await revert(ann, `${body.id}`)).toBe(403)
    await admin.define('reverts', rulesWith({ delete: 'auth.id == record.owner_id' }))
    expect(await revert(ann, `${body.id}`)).toBe(403)
  })

  test('reports the fault where the caller may change the record', async () => {
    await admin.define('reverts', rulesWith({ update: 'next.text != "b"' }))
    const { body } = await admin.create('reverts', { text: 'a' })
    expect(await revert(ann, `${body.id}`)).toBeOneOf([400, 413, 415, 422])
  })
})
