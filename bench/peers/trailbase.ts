import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { READER, WRITER } from './accounts.ts'
import { type Peer, posting, run } from './peer.ts'

const RECORDS = '/api/records/v1/notes'

const CONFIG = `email {}
server {
  application_name: "notes"
}
auth {}
jobs {}
record_apis: [{
  name: "notes"
  table_name: "notes"
  acl_authenticated: [CREATE, READ]
  create_access_rule: "_REQ_.owner = _USER_.id"
  read_access_rule: "_ROW_.owner = _USER_.id"
  enable_subscriptions: true
}]
`

/** Accounts that sign up by themselves would have to confirm an address first. */
const MIGRATION = `CREATE TABLE notes (
  id INTEGER PRIMARY KEY,
  owner BLOB NOT NULL REFERENCES _user(id) ON DELETE CASCADE,
  title TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
  description TEXT NOT NULL CHECK (length(description) <= 10000),
  price INTEGER NOT NULL
) STRICT;
CREATE INDEX notes_owner ON notes (owner);
CREATE INDEX notes_price ON notes (owner, price);
INSERT INTO _user (id, email, password_hash, verified, admin) VALUES
${[READER, WRITER].map(({ email, password }) => `  (uuid_v4(), '${email}', hash_password('${password}'), TRUE, FALSE)`).join(',\n')};
`

const claimsOf = (token: string): { readonly sub: string } =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

/** Written from its documentation and not run yet: no package client here has its program. */
export const trailbase: Peer = {
  name: 'TrailBase',
  promises: {
    create: 'not synced: WAL at synchronous=NORMAL',
    hash: 'argon2id, 19 MiB, 2 passes',
    list: 'exact total; rights by rules',
  },
  api: {
    health: '/api/healthcheck',
    // The accounts come with the migration.
    signUp: async () => {},
    signIn: (credentials) => posting('/api/auth/v1/login', credentials),
    accountOf(answer) {
      const { auth_token: token } = answer as { auth_token: string }
      return { token, id: claimsOf(token).sub }
    },
    notes: RECORDS,
    draftOf: (draft, { id }) => ({ ...draft, owner: id }),
    list: (withTotal) => `${RECORDS}?limit=20&order=-id${withTotal ? '&count=true' : ''}`,
    cheaperThan: (price) => `${RECORDS}?limit=20&order=price&${encodeURIComponent('filter[price][$lt]')}=${price}`,
    idOf: (answer) => (answer as { ids: readonly string[] }).ids[0] ?? '',
    totalOf: (answer) => (answer as { total_count: unknown }).total_count,
    live: 'trailbase',
  },
  async install(scratch) {
    const program = Bun.which('trail')
    if (program === null) return 'trail is not on the PATH'
    return {
      version: (await run([program, '--version'], { cwd: scratch })).trim().split('\n', 1)[0] ?? 'unknown',
      deployed: [realpathSync(program)],
      command: (port) => ({ command: [program, '--data-dir', 'depot', 'run', '--address', `127.0.0.1:${port}`] }),
      async prepare(folder) {
        const migrations = join(folder, 'depot/migrations/main')
        mkdirSync(migrations, { recursive: true })
        await Bun.write(join(folder, 'depot/config.textproto'), CONFIG)
        await Bun.write(join(migrations, 'U1750000000__notes.sql'), MIGRATION)
      },
    }
  },
}
