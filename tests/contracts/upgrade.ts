import { expect, test } from 'bun:test'
import { callsOf, type RecordBody } from '../support/shopping.ts'
import { quickPasswords, signIn, startSkep } from '../support/skep.ts'
import { openSocket } from '../support/socket.ts'

/** The last version without collections had the migrations before this one. */
export const FIRST_MIGRATION_OF_COLLECTIONS = '0013_collections'

const ITEM =
  '{"id":1,"ownerId":1,"title":"Oak table","description":null,"data":{"a":1},"version":3,"epoch":"aaaaaaaaaa","createdAt":5,"updatedAt":6}'

/** What an installation of that version contains: an admin with an item, and the event of its last change. */
const contentsBefore = async (): Promise<readonly string[]> => [
  `INSERT INTO users (id, email, name, role, is_active, email_verified, password_hash, created_at, updated_at)
   VALUES (1, 'ann@example.com', 'Ann', 'admin', true, true, '${await quickPasswords().hash('correct horse')}', 1, 1)`,
  "INSERT INTO epochs (first_cursor, nonce) VALUES (1, 'aaaaaaaaaa')",
  `INSERT INTO items (id, owner_id, title, data, version, epoch, created_at, updated_at)
   VALUES (1, 1, 'Oak table', '{"a":1}', 3, 'aaaaaaaaaa', 5, 6)`,
  `INSERT INTO events (event, kind, subject_id, owner_id, data, actor_id, request_id, created_at)
   VALUES ('item.updated', 'items', 1, 1, '${ITEM}', 1, 'r', 6)`,
]

/** `prepare` runs statements on a database of that version, and resolves to the environment of a server on it. */
export const upgradeContract = (
  engine: string,
  prepare: (statements: readonly string[]) => Promise<Readonly<Record<string, string>>>,
) =>
  test(`an installation of the version before collections, on ${engine}, goes on and has them once it is started`, async () => {
    const environment = await prepare(await contentsBefore())
    const skep = await startSkep(environment)
    const ann = await signIn(skep.call, { id: 1, email: 'ann@example.com', password: 'correct horse' })
    const { call, define, create, get, list } = callsOf(skep, ann)

    const item = await call('GET', '/items/1')
    expect(item.body).toMatchObject({ id: 1, owner_id: 1, title: 'Oak table', data: { a: 1 }, version: 3 })
    expect((await call<{ total: number }>('GET', '/items/')).body.total).toBe(1)
    await using socket = await openSocket(skep.url, { token: ann.token })
    await socket.subscribe('items', 'aaaaaaaaaa.0')
    await socket.until(() => socket.events().length === 1)

    const definitions = await call<{ items: readonly { name: string; records: number }[] }>('GET', '/collections/')
    expect(definitions.body.items).toMatchObject([{ name: 'items', records: 1 }])
    const schema = { type: 'object', properties: { item: { type: 'integer', 'x-ref': 'items' } } }
    expect((await define('offers', { schema })).status).toBe(201)
    const offer = await create('offers', { item: 1 })
    expect(await get<RecordBody>('offers', offer.body.id, '?expand=item')).toMatchObject({
      body: { item: 1, expanded: { item: { title: 'Oak table' } } },
    })
    expect((await list('items', { filter: 'title == "Oak table"' })).body.total).toBe(1)

    const headers = { 'if-match': String(item.headers.get('etag')) }
    expect((await call('PATCH', '/items/1', { json: { title: 'Ash table' }, headers })).body.version).toBe(4)
    expect((await call('DELETE', '/items/1')).status).toBe(409)
    await socket.until(() => socket.events().length === 2)
    expect(socket.events().map(({ event, data }) => [event, data?.title])).toEqual([
      ['item.updated', 'Oak table'],
      ['item.updated', 'Ash table'],
    ])
  })
