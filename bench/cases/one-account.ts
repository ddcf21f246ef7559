import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { residentMegabytes } from '../../tests/support/resources.ts'
import type { Case, CaseResult, Context, Figure } from '../lib/case.ts'
import { startLoad } from '../lib/load.ts'
import { peakMemory } from '../lib/memory.ts'
import { signUp, startSkep } from '../lib/skep.ts'
import { ATTACK_CLIENTS_COUNT, type AttackInput } from '../loads/attack.ts'
import type { Attack, Target } from '../loads/attacks/attack.ts'
import type { ReadsInput, ReadsReport } from '../loads/reads.ts'

const FOLDER = join(import.meta.dir, '../loads/attacks')
const PREPARE_SECONDS = 300
const ATTACK_SECONDS = 12
/** Below the default limit of one user. */
const READS_PER_SECOND = 9
const HEALTH_PER_SECOND = 40
/** The attackers share one address; whoever reads beside them comes from another. */
const OTHER_ADDRESS = { 'x-forwarded-for': '203.0.113.7' }
const BYTES_PER_MB = 1e6
const QUOTA_MB = 1_073.741_824

const sizeOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).reduce((sum, entry) => {
    if (!entry.isFile()) return sum
    // A file may go between the listing and here.
    const file = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })
    return sum + (file?.size ?? 0)
  }, 0)

const measure = async (name: string, attack: Attack, { form, cores, folder, progress }: Context) => {
  const home = folder()
  const startWith = (env: Readonly<Record<string, string>>) =>
    startSkep(form, { folder: home, core: cores.server, env: { TRUST_PROXY: '1', ...env } })
  const run = (phase: AttackInput['phase'], target: Target, seconds: number) => {
    const input: AttackInput = { attack: name, target, phase, seconds }
    return startLoad('attack', input, { core: cores.load, seconds, nice: true }).report
  }
  const prepared = await (async () => {
    // Preparing takes more requests than one account may send.
    await using unlimited = await startWith({})
    const { url } = unlimited
    const [attacker, other, reader] = await Promise.all(
      ['ann', 'bob', 'cyd'].map((person) => signUp(url, `${person}@example.com`)),
    )
    if (attacker === undefined || other === undefined || reader === undefined) throw new Error('nobody signed up')
    const target: Target = { url, token: attacker.token, userId: attacker.id, otherToken: other.token }
    await run('prepare', target, PREPARE_SECONDS)
    return { target, reader }
  })()
  await using skep = await startWith({ RATE_LIMIT: '', RATE_LIMIT_AUTH: '', QUOTA: '' })
  const { reader } = prepared
  const target = { ...prepared.target, url: skep.url }
  // What starting takes for good is not the attack's.
  for (const path of ['/health', '/api/v1/users/me']) {
    await fetch(`${skep.url}${path}`, { headers: { authorization: `Bearer ${reader.token}` } })
  }
  const idle = residentMegabytes(skep.pid)
  const reads = (path: string, perSecond: number) => {
    const input: ReadsInput = {
      url: `${skep.url}${path}`,
      token: reader.token,
      headers: OTHER_ADDRESS,
      perSecond,
      connections: 8,
      seconds: ATTACK_SECONDS - 2,
      round: ATTACK_SECONDS,
    }
    return startLoad<ReadsReport>('reads', input, { core: cores.load, seconds: input.seconds }).report
  }
  using memory = peakMemory(skep.pid)
  const attacked = run('attack', target, ATTACK_SECONDS)
  await Bun.sleep(1_000)
  const [me, health] = await Promise.all([
    reads('/api/v1/users/me', READS_PER_SECOND),
    reads('/health', HEALTH_PER_SECOND),
  ])
  await attacked
  const added = memory.peak() - idle
  const disk = sizeOf(join(home, 'data')) / BYTES_PER_MB
  progress(`${attack.id}: p99 ${me.p99.toFixed(0)} ms, /health ${health.p99.toFixed(0)} ms, +${added.toFixed(0)} MB`)
  return { me, health, added, disk }
}

const figuresOf = ({ id }: Attack, { me, health, added, disk }: Awaited<ReturnType<typeof measure>>): Figure[] => [
  { name: `${id}, p99 of another's reads`, unit: 'ms', value: me.p99, bar: { of: 'value', atMost: 50 } },
  { name: `${id}, p99 of /health`, unit: 'ms', value: health.p99, bar: { of: 'value', atMost: 50 } },
  { name: `${id}, memory added`, unit: 'MB', value: added, bar: { of: 'value', atMost: 128 } },
  { name: `${id}, disk used`, unit: 'MB', value: disk, bar: { of: 'value', atMost: QUOTA_MB } },
]

/** What others notice while one account does its worst. `ATTACKS` picks some by their ids: `ATTACKS=A1,A4`. */
export const oneAccount: Case = {
  name: 'one-account',
  about: `reads of another user while ${ATTACK_CLIENTS_COUNT} clients of one account send the worst known inputs`,
  async run(context): Promise<CaseResult> {
    const names = readdirSync(FOLDER)
      .filter((file) => /^[a-z]\d/.test(file))
      .map((file) => file.replace(/\.ts$/, ''))
      .sort()
    const picked = process.env.ATTACKS?.split(',')
    const figures: Figure[] = []
    const detail: Record<string, unknown> = {}
    for (const name of names) {
      const { attack } = (await import(`../loads/attacks/${name}.ts`)) as { readonly attack: Attack }
      if (picked !== undefined && !picked.includes(attack.id)) continue
      const measured = await measure(name, attack, context)
      figures.push(...figuresOf(attack, measured))
      detail[name] = { about: attack.about, ...measured }
    }
    return { figures, detail }
  },
}
