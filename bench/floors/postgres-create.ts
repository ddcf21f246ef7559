/**
 * What `POST /items/` costs on Postgres when a row is inserted by one statement, committed by itself, and answered: no
 * token, no limits, no log, no validation, no look at the account, no entry in the log of changes. The table has all of
 * its indexes, the one over the words too, which Postgres finds; commits wait for the disk.
 * Arguments: the database, how many connections to it, the owner's id.
 */
import { SQL } from 'bun'
import { created, type ItemDraft, type ItemRow } from '../lib/item-body.ts'
import { serveFloor } from '../lib/serve-floor.ts'

const [url = '', size, id] = Bun.argv.slice(2)
const sql = new SQL(url, { max: Number(size) })
const ownerId = Number(id)

const answer = async (request: Request): Promise<Response> => {
  const { title, description = null, data = {} } = (await request.json()) as ItemDraft
  const now = Date.now()
  const [row]: readonly ItemRow[] = await sql`
    INSERT INTO items (owner_id, title, description, data, version, created_at, updated_at, words)
    VALUES (${ownerId}, ${title}, ${description}, ${JSON.stringify(data)}, 1, ${now}, ${now},
      to_tsvector('simple', ${`${title} ${description ?? ''}`}))
    RETURNING id, owner_id, title, description, data, version, created_at, updated_at`
  return created(row)
}

serveFloor({ '/api/v1/items/': { POST: answer } })
