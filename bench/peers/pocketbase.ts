import { copyFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { idOfRecord, installOnce, type Peer, posting, run, send } from './peer.ts'

const ADMIN = { identity: 'admin@example.com', password: 'correct horse battery' }
const SOURCE = join(import.meta.dir, 'pocketbase')
const RECORDS = '/api/collections/notes/records'

const OWN = 'owner = @request.auth.id'

const notes = (usersId: string) => ({
  name: 'notes',
  type: 'base',
  fields: [
    { name: 'owner', type: 'relation', required: true, collectionId: usersId, maxSelect: 1, cascadeDelete: true },
    { name: 'title', type: 'text', required: true, min: 1, max: 200 },
    { name: 'description', type: 'text', max: 10_000 },
    { name: 'price', type: 'number', onlyInt: true },
    { name: 'created', type: 'autodate', onCreate: true },
  ],
  indexes: ['CREATE INDEX notes_owner ON notes (owner, created)', 'CREATE INDEX notes_price ON notes (owner, price)'],
  listRule: OWN,
  viewRule: OWN,
  createRule: OWN,
})

export const pocketbase: Peer = {
  name: 'PocketBase',
  promises: {
    create: 'not synced: WAL at synchronous=NORMAL',
    hash: 'bcrypt, cost 10',
    list: 'exact total; rights by rules',
  },
  api: {
    health: '/api/health',
    signUp: async (url, { email, password }) =>
      void (await send(url, posting('/api/collections/users/records', { email, password, passwordConfirm: password }))),
    signIn: ({ email, password }) =>
      posting('/api/collections/users/auth-with-password', { identity: email, password }),
    accountOf(answer) {
      const { token, record } = answer as { token: string; record: { id: string } }
      return { token, id: record.id }
    },
    notes: RECORDS,
    draftOf: (draft, { id }) => ({ ...draft, owner: id }),
    list: (withTotal) => `${RECORDS}?perPage=20&sort=-created${withTotal ? '' : '&skipTotal=1'}`,
    cheaperThan: (price) =>
      `${RECORDS}?perPage=20&sort=price&skipTotal=1&filter=${encodeURIComponent(`price<${price}`)}`,
    idOf: idOfRecord,
    totalOf: (answer) => (answer as { totalItems: unknown }).totalItems,
    live: 'pocketbase',
  },
  async install(scratch, mayInstall) {
    if (Bun.which('go') === null) return 'go is not on the PATH'
    const folder = join(scratch, 'pocketbase')
    const program = join(folder, 'peer')
    const sources = ['main.go', 'go.mod'].map((name) => join(SOURCE, name))
    const version = await installOnce(folder, sources, mayInstall, async () => {
      for (const path of sources) copyFileSync(path, join(folder, basename(path)))
      await run(['go', 'mod', 'tidy'], { cwd: folder })
      await run(['go', 'build', '-ldflags', '-s -w', '-o', program, '.'], { cwd: folder, env: { CGO_ENABLED: '0' } })
      const listed = await run(['go', 'list', '-m', 'github.com/pocketbase/pocketbase'], { cwd: folder })
      return listed.trim().split(' ').at(-1) ?? 'unknown'
    })
    return {
      version,
      deployed: [program],
      command: (port) => ({ command: [program, 'serve', `--http=127.0.0.1:${port}`, '--dir=data'] }),
      async prepare(home) {
        await run([program, 'superuser', 'upsert', ADMIN.identity, ADMIN.password, '--dir=data'], { cwd: home })
      },
      async define(url) {
        const signedIn = await send(url, posting('/api/collections/_superusers/auth-with-password', ADMIN))
        const { token } = signedIn as { token: string }
        const users = await send(url, { path: '/api/collections/users', headers: { authorization: `Bearer ${token}` } })
        await send(url, posting('/api/collections', notes((users as { id: string }).id), token))
      },
    }
  },
}
