import { Database } from 'bun:sqlite'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createOpaqueTokens } from '../../src/adapters/bun/opaque-tokens.ts'
import { openSqliteStore } from '../../src/adapters/sqlite/unit-of-work.ts'
import { queueTokenMail } from '../../src/application/mail-tokens.ts'
import { newUser } from '../../src/domain/user.ts'
import type { Case, Context } from '../lib/case.ts'
import { readsOf } from '../lib/reads.ts'
import { databaseOf, type Member, signUp, startSkep } from '../lib/skep.ts'
import { median } from '../lib/statistics.ts'
import type { ReadsReport } from '../loads/reads.ts'

const MAILS_COUNT = 10_000
const MAILS_PER_COMMIT = 1_000
const TIMEOUT_SECONDS = 180
const POLL_MS = 50

/** Accounts that each have asked for a verification mail, while the program was stopped. */
const queueMails = async (path: string): Promise<void> => {
  const store = openSqliteStore({ path })
  const opaqueTokens = createOpaqueTokens('bench')
  const now = Date.now()
  for (let first = 0; first < MAILS_COUNT; first += MAILS_PER_COMMIT) {
    await store.write(async (tx) => {
      for (let each = first; each < first + MAILS_PER_COMMIT; each++) {
        const email = `reader${each}@example.com`
        const user = await tx.users.insert(newUser({ email, name: `Reader ${each}`, passwordHash: '-', now }))
        await queueTokenMail(tx, opaqueTokens, { user, email, template: 'verify', now })
      }
    })
  }
  await store.close()
}

/** A database with the mails, and someone who is signed in. */
const prepare = async ({ form }: Context, folder: string): Promise<Member> => {
  const skep = await startSkep(form, { folder, core: null })
  const member = await signUp(skep.url)
  await skep.stop()
  await queueMails(databaseOf(folder))
  return member
}

const watchMails = (path: string) => {
  const database = new Database(path, { readwrite: true, create: false })
  const waiting = database.prepare(
    "SELECT 1 FROM jobs WHERE state IN ('queued', 'running') AND kind = 'mail' ORDER BY id DESC LIMIT 1",
  )
  const sent = database.prepare<{ n: number }, []>(
    "SELECT count(*) AS n FROM jobs WHERE state = 'done' AND kind = 'mail' AND attempts = 1",
  )
  return {
    isWaiting: () => waiting.get() !== null,
    sent: () => sent.get()?.n ?? 0,
    [Symbol.dispose]() {
      waiting.finalize()
      sent.finalize()
      database.close(true)
    },
  }
}

interface Drain {
  readonly reads: ReadsReport
  readonly seconds: number
}

const drain = async (context: Context, core: number | null): Promise<Drain> => {
  const folder = context.folder()
  const { token } = await prepare(context, folder)
  const from = performance.now()
  await using skep = await startSkep(context.form, { folder, core })
  const load = readsOf(skep.url, token, { core: context.cores.load, seconds: TIMEOUT_SECONDS })
  using mails = watchMails(databaseOf(folder))
  while (mails.isWaiting()) {
    if (performance.now() - from > TIMEOUT_SECONDS * 1_000) throw new Error(`only ${mails.sent()} mails were sent`)
    await Bun.sleep(POLL_MS)
  }
  const seconds = (performance.now() - from) / 1_000
  const reads = await load.stop()
  const files = readdirSync(join(folder, 'data/mail')).filter((name) => name.endsWith('.eml')).length
  // One more was for whoever signed up.
  if (files < MAILS_COUNT || mails.sent() < MAILS_COUNT)
    throw new Error(`${files} files of ${mails.sent()} mails sent at once`)
  context.progress(`${seconds.toFixed(1)} s, p99 of reads ${reads.p99.toFixed(1)} ms`)
  return { reads, seconds }
}

/** Reads from the start on, while a long queue of mails is written to files, each synced to the disk. */
export const mailDrain: Case = {
  name: 'mail-drain',
  about: `GET /api/v1/users/me at a given rate while ${MAILS_COUNT} queued mails drain`,
  async run(context) {
    const { reads, seconds } = await drain(context, context.cores.server)
    return {
      figures: [
        {
          name: 'p99 of reads',
          unit: 'ms',
          value: median(reads.p99OfRounds),
          p50: { value: reads.p50 },
          p99: { value: reads.p99 },
          bar: { of: 'value', atMost: 50 },
        },
        { name: 'slowest read', unit: 'ms', value: reads.max },
        { name: 'drained after', unit: 's', value: seconds },
        { name: 'mails/s', unit: '', value: MAILS_COUNT / seconds },
      ],
      detail: { form: context.form.name, mails: MAILS_COUNT, seconds, reads },
    }
  },
}
