/**
 * Kills a server under load with SIGKILL, again and again on the same data, and compares all that it then knows with
 * what it had acknowledged: `bun run durability [--rounds N] [--seed S]`, with `SKEP_BINARY` for the compiled program.
 *
 * SIGKILL ends the process, not the system: what was written and not yet synced stays in the page cache, and is read from
 * there after the restart. So this shows that things happen in the right order (nothing is acknowledged before it is
 * written, nothing is half written), and not that the disk was asked to keep them. That is seen with
 * `strace -f -y -e trace=fsync,rename,sendto -p PID` on a running server: an fsync of the
 * write-ahead log before each answer to a write, and of an upload's file and folder before its row. Of a mail's file and
 * folder it is a test (`tests/e2e/mail-on-disk.test.ts`).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runRounds } from './rounds.ts'

const USAGE = `bun run durability [options]
  --rounds N  how often it is killed (default 20)
  --seed S    of what happens (default: another each time)
DATABASE_URL, REDIS_URL, FILES_URL, JWT_SECRET and the AWS keys reach the server; what they name must be empty.`

const number = (name: string, text: string): number => {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  console.error(`--${name}: expected a number\n\n${USAGE}`)
  process.exit(2)
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}

const rounds = number('rounds', values.rounds)
const seed = number('seed', values.seed)
const folder = mkdtempSync(join(tmpdir(), 'skep-durability-'))
console.log(`seed ${seed}, data in ${folder}`)
const given = [
  'DATABASE_URL',
  'DATABASE_POOL_SIZE',
  'REDIS_URL',
  'FILES_URL',
  'JWT_SECRET',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
]
const settings = Object.fromEntries(given.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
const progress = (text: string) => console.log(text)
const { findings, counts } = await runRounds({ rounds, seed, folder, settings, progress })
if (findings.length === 0) rmSync(folder, { recursive: true, force: true })
else console.log(`\n${findings.join('\n')}\n\nThe data is kept in ${folder}; again with --seed ${seed}`)
const line = Object.entries(counts).map(([name, value]) => `${name} ${value}`)
console.log(`seed ${seed}: ${findings.length} findings; ${line.join(', ')}`)
process.exit(findings.length === 0 ? 0 : 1)
