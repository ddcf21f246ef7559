import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Context } from '../lib/case.ts'
import { cleanUpAtExit, temporaryFolder } from '../lib/cleanup.ts'
import { pickCores, pinned } from '../lib/cores.ts'
import { describeMachine, describeVersions } from '../lib/machine.ts'
import { findBinary, SOURCE } from '../lib/skep.ts'
import { wrkVersion } from '../lib/wrk.ts'
import { CASES, type Case, type Subject, startSubject } from './cases.ts'
import { startDuties } from './duties.ts'
import type { Floors } from './floors.ts'
import { type Installed, type Peer, run } from './peer.ts'
import { pocketbase } from './pocketbase.ts'
import { measurePrograms } from './programs.ts'
import { renderText } from './report.ts'
import { createSamples, FLOOR, type Samples, SUBJECT } from './samples.ts'
import { skep } from './skep.ts'
import { trailbase } from './trailbase.ts'
import { elysia, fastapi, fastify } from './tutorials.ts'

const PEERS: readonly Peer[] = [skep, pocketbase, trailbase, fastapi, elysia, fastify]

const USAGE = `bun run bench peers [options]
  --install        install the peers into the scratch folder, and measure nothing
  --peers A,B      of ${PEERS.map(({ name }) => name).join(', ')} (default all; Skep is always measured)
  --cases A,B      of ${CASES.map(({ name }) => name).join(', ')} (default all)
  --rounds N       at most (default 3)
  --seconds N      length of one measurement (default 2)
  --records N      of the account that reads (default 5000)
  --minutes N      after which cases end with fewer rounds (default 11)
  --scratch DIR    where peers are installed (default ${join(tmpdir(), 'skep-peers')})
  --out FILE       where the JSON goes (default bench/results/peers.json)`

const CONNECTIONS_COUNT = 64
const WARMUP_SECONDS = 1
const SECONDS_PER_MINUTE = 60
const MAX_MINUTES = 600
const MAX_ROUNDS_COUNT = 100
const MAX_SECONDS = 60
const MAX_REASON_CHARACTERS = 500
/** Totals beyond this number are not exact. */
const MAX_RECORDS_COUNT = 10_000

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const given = Bun.argv.slice(2)
const { values } = parseArgs({
  // As `bun run bench peers` the name comes first.
  args: given[0] === 'peers' ? given.slice(1) : given,
  options: {
    peers: { type: 'string' },
    cases: { type: 'string' },
    install: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '11' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    records: { type: 'string', default: '5000' },
    scratch: { type: 'string', default: join(tmpdir(), 'skep-peers') },
    out: { type: 'string', default: join(import.meta.dir, '../results/peers.json') },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}

const positive = (name: string, text: string, most: number): number =>
  /^[1-9]\d{0,6}$/.test(text) && Number(text) <= most
    ? Number(text)
    : fail(`--${name}: expected an integer from 1 to ${most}`)

/** Those that are named, in the order they have here. */
const pick = <T extends { readonly name: string }>(flag: string, all: readonly T[], list: string | undefined) => {
  if (list === undefined) return all
  const names = list.split(',').map((name) => name.trim().toLowerCase())
  const unknown = names.filter((name) => !all.some((each) => each.name.toLowerCase() === name))
  if (unknown.length > 0) fail(`--${flag}: no ${unknown.join(', ')}\n\n${USAGE}`)
  return all.filter(({ name }) => names.includes(name.toLowerCase()))
}

if (wrkVersion() === null) fail('wrk is missing; install it with: apt-get install wrk')
const cases = pick('cases', CASES, values.cases)
const peers = [...new Set([skep, ...pick('peers', PEERS, values.peers)])]
const context: Context = {
  settings: {
    rounds: positive('rounds', values.rounds, MAX_ROUNDS_COUNT),
    seconds: positive('seconds', values.seconds, MAX_SECONDS),
    records: positive('records', values.records, MAX_RECORDS_COUNT),
    warmupSeconds: WARMUP_SECONDS,
    connections: CONNECTIONS_COUNT,
  },
  cores: pickCores(),
  form: findBinary() ?? SOURCE,
  deployedForm: findBinary() ?? SOURCE,
  folder: temporaryFolder,
  progress: (text) => console.error(text),
}
const { settings, cores, progress } = context

cleanUpAtExit()
const started = new Date()
const deadline = performance.now() + positive('minutes', values.minutes, MAX_MINUTES) * SECONDS_PER_MINUTE * 1_000
const scratch = resolve(values.scratch)
mkdirSync(scratch, { recursive: true })

const skipped: { readonly name: string; readonly reason: string }[] = []
const skip = (name: string, error: unknown): void => {
  const reason = (error instanceof Error ? error.message : String(error)).slice(0, MAX_REASON_CHARACTERS)
  progress(`${name} is skipped: ${reason}`)
  skipped.push({ name, reason })
}

const installedPeers: { readonly peer: Peer; readonly installed: Installed }[] = []
for (const peer of peers) {
  progress(`${peer.name}: ${values.install ? 'installing, unless it is' : 'looking for it'}`)
  const installed = await peer.install(scratch, values.install).catch((error: unknown) => String(error))
  if (typeof installed === 'string') skip(peer.name, installed)
  else installedPeers.push({ peer, installed })
}
if (values.install) {
  for (const { peer, installed } of installedPeers) console.log(`${peer.name} ${installed.version}`)
  process.exit(0)
}

const subjects: Subject[] = []
for (const { peer, installed } of installedPeers) {
  progress(`${peer.name}: creating ${settings.records} notes`)
  try {
    subjects.push(await startSubject(context, peer, installed))
  } catch (error) {
    if (peer === skep) throw error
    skip(peer.name, error)
  }
}

const installedSkep = installedPeers.find(({ peer }) => peer === skep)?.installed ?? fail('Skep is not installed')
if (cases.some(({ hasFloor }) => hasFloor)) {
  progress(`${FLOOR}: a database of ${settings.records} notes for the raw server`)
  subjects.push(await startDuties(context, installedSkep))
}

/** One round. A peer that does not get through one is left out of what remains of the case, and the reason is told. */
const runRound = async (
  each: Case,
  inContext: Context,
  able: Set<Subject>,
  to: Samples,
  inOrder: readonly Subject[],
): Promise<void> => {
  for (const subject of inOrder) {
    if (!able.has(subject)) continue
    try {
      await each.round(inContext, subject, to)
    } catch (error) {
      able.delete(subject)
      skip(`${subject.peer.name} in ${each.name}`, error)
    }
  }
}

const samples = createSamples()
for (const [index, each] of cases.entries()) {
  progress(`${each.name}: ${each.about}`)
  // Where time gets short, every case has fewer rounds, rather than the last ones none.
  const now = performance.now()
  const until = now + (deadline - now) / (cases.length - index)
  const able = new Set(subjects.filter(({ peer: { name } }) => each.hasFloor || name !== FLOOR))
  const warming = { ...context, settings: { ...settings, seconds: settings.warmupSeconds } }
  if (each.warms) await runRound(each, warming, able, createSamples(), subjects)
  for (let round = 0; round < settings.rounds; round++) {
    if (round > 0 && performance.now() > until) {
      skip(each.name, `${round} of ${settings.rounds} rounds, since the time was up`)
      break
    }
    await runRound(each, context, able, samples, subjects)
  }
}

const floorPath = join(temporaryFolder(), 'floor.bin')
const floorCommand = pinned([process.execPath, join(import.meta.dir, 'floors.ts'), floorPath], cores.server)
const floors: Floors = JSON.parse(await run(floorCommand, { cwd: scratch }))
const isAboutPrograms = cases.some(({ name }) => name === 'start' || name === 'memory')
if (isAboutPrograms) progress('start and memory of programs without code of Skep')
const programs = isAboutPrograms ? await measurePrograms(context, installedSkep) : undefined

const report = {
  kind: 'peers',
  date: started.toISOString(),
  machine: describeMachine(),
  versions: describeVersions(wrkVersion() ?? 'none'),
  settings: { ...settings, form: context.form.name, deployed_form: context.form.name, cores },
  seconds: Math.round((Date.now() - started.getTime()) / 1_000),
  peers: subjects
    .filter(({ peer: { name } }) => name !== FLOOR)
    .map(({ peer: { name, promises }, installed: { version } }) => ({ name, version, promises })),
  skipped,
  cases: cases.map(({ name, about }) => ({ name, about })),
  figures: samples.figures(),
  floors,
  ...(programs && { programs }),
  rounds: samples.rounds(),
} as const
console.log(renderText(report))
const out = resolve(values.out)
mkdirSync(dirname(out), { recursive: true })
writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`)
for (const { peer, running } of subjects)
  await running.stop().catch((error: unknown) => progress(`${peer.name} did not stop well: ${error}`))
process.exit(skipped.some(({ name }) => name.startsWith(`${SUBJECT} in `)) ? 1 : 0)
