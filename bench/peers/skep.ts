import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import pkg from '../../package.json' with { type: 'json' }
import { NOTES, NOTES_PATH } from '../lib/notes.ts'
import { type Form, findBinary, ROOT, runSkep, SOURCE, skepOptions } from '../lib/skep.ts'
import { idOfRecord, type Peer, posting, send } from './peer.ts'

/** One account has all the sockets here. */
const MAX_SOCKETS_COUNT = 1_000

const form: Form = findBinary() ?? SOURCE

export const skep: Peer = {
  name: 'Skep',
  promises: {
    create: 'synced to disk, in the log of changes, in its history',
    hash: 'argon2id, 19 MiB, 2 passes',
    list: 'exact total up to 10,000; rights by rules',
  },
  api: {
    health: '/health',
    signUp: async (url, { email, password }) =>
      void (await send(url, posting('/api/v1/users/', { email, name: 'Ann', password }))),
    signIn: ({ email, password }) => ({
      path: '/api/v1/auth/token',
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: String(new URLSearchParams({ username: email, password })),
    }),
    accountOf: (answer) => ({ id: '', token: (answer as { access_token: string }).access_token }),
    notes: NOTES_PATH,
    draftOf: (draft) => draft,
    list: (withTotal) => `${NOTES_PATH}?size=20&sort=-created_at${withTotal ? '' : '&total=false'}`,
    cheaperThan: (price) =>
      `${NOTES_PATH}?size=20&sort=price&total=false&filter=${encodeURIComponent(`price < ${price}`)}`,
    idOf: idOfRecord,
    totalOf: (answer) => (answer as { total: unknown }).total,
    live: 'skep',
  },
  install: async () => ({
    version: `${pkg.version} (${form.name})`,
    deployed:
      form.name === 'binary'
        ? [join(ROOT, 'dist/skep')]
        : [process.execPath, join(ROOT, 'src'), join(ROOT, 'node_modules')],
    command: (port) => {
      const { command, env } = skepOptions(form, '.', {
        PORT: String(port),
        DATA_DIR: 'data',
        MAX_SOCKETS_PER_USER: String(MAX_SOCKETS_COUNT),
      })
      return { command, ...(env && { env }) }
    },
    async prepare(folder) {
      const definitions = join(folder, 'collections')
      mkdirSync(definitions)
      await Bun.write(join(definitions, 'notes.json'), JSON.stringify(NOTES))
      await runSkep(form, ['collections', 'apply', definitions], { folder })
    },
  }),
}
