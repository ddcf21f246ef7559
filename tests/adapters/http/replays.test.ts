import { expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { type Member, startSkep } from '../../support/skep.ts'
import { upload } from '../../support/uploads.ts'

const skep = await startSkep({}, { mailer: createMailbox() })
const root = await createFirstAdmin(skep)

const headers = { 'idempotency-key': 'once' }
const change = (member: Member, json: object) => skep.call('PATCH', `/users/${member.id}`, { token: root.token, json })

const admin = async () => {
  const member = await skep.member()
  await change(member, { role: 'admin' })
  return member
}

const item = async (owner: Member, title = 'secret of another') =>
  (await skep.call<{ id: number }>('POST', '/items/', { token: owner.token, json: { title } })).body.id

const batch = (member: Member, operations: readonly object[]) =>
  skep.call('POST', '/items/batch', { token: member.token, json: { operations }, headers })

test('a demoted admin does not get the response with another’s item again', async () => {
  const [ann, eve] = [await skep.member(), await admin()]
  const operations = [
    { op: 'create', title: 'own' },
    { op: 'update', id: await item(ann), data: { seen: true } },
  ]
  expect((await batch(eve, operations)).status).toBe(200)
  expect((await batch(eve, operations)).headers.get('idempotency-replayed')).toBe('true')
  await change(eve, { role: 'user' })
  const refused = await batch(eve, operations)
  expect([refused.status, refused.body.code]).toEqual([404, 'not_found'])
  expect(JSON.stringify(refused.body)).not.toContain('secret')
  await change(eve, { role: 'admin' })
  expect((await batch(eve, operations)).status).toBe(200)
})

test('nor when that item is gone', async () => {
  const [ann, eve] = [await skep.member(), await admin()]
  const id = await item(ann)
  const operations = [{ op: 'update', id, title: 'changed' }]
  await batch(eve, operations)
  await skep.call('DELETE', `/items/${id}`, { token: ann.token })
  await change(eve, { role: 'user' })
  expect((await batch(eve, operations)).status).toBe(404)
})

test('nor the link to another’s file', async () => {
  const [ann, eve] = [await skep.member(), await admin()]
  const { body: file } = await upload(skep.call, { token: ann.token })
  const link = () =>
    skep.call('POST', `/files/${file.id}/links`, { token: eve.token, json: { expires_in: 60 }, headers })
  expect((await link()).status).toBe(201)
  await change(eve, { role: 'user' })
  expect((await link()).status).toBe(404)
})

test('a demoted admin gets responses with only their own data again', async () => {
  const [ann, eve] = [await skep.member(), await admin()]
  const id = await item(eve)
  const operations = [
    { op: 'update', id, title: 'changed' },
    { op: 'delete', id },
    { op: 'delete', id: await item(ann) },
  ]
  await batch(eve, operations)
  const create = () => skep.call('POST', '/items/', { token: eve.token, json: { title: 'x' }, headers })
  const { body } = await create()
  await change(eve, { role: 'user' })
  expect((await batch(eve, operations)).headers.get('idempotency-replayed')).toBe('true')
  expect((await create()).body).toEqual(body)
})

test('a deactivated user gets none', async () => {
  const ann = await skep.member()
  const create = () => skep.call('POST', '/items/', { token: ann.token, json: { title: 'x' }, headers })
  await create()
  await change(ann, { is_active: false })
  expect((await create()).status).toBeGreaterThanOrEqual(400)
})
