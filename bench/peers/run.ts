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
import type { Floors } from './floors.ts'
import { type Peer, run } from './peer.ts'
import { pocketbase } from './pocketbase.ts'
import { renderText } from './report.ts'
import { createSamples, type Samples } from './samples.ts'
import { skep } from './skep.ts'
import { elysia, fastapi, fastify } from './tutorials.ts'

const PEERS: readonly Peer[] = [skep, pocketbase, fastapi, elysia, fastify]

const USAGE = `bun bench/peers/run.ts [options]
  --peers A,B      of ${PEERS.map(({ name }) => name).join(', ')} (default all; Skep is always measured)
  --cases A,B      of ${CASES.map(({ name }) => name).join(', ')} (default all)
  --rounds N       (default 5)
  --seconds N      length of one measurement (default 2)
  --records N      of the account that reads (default 10000)
  --scratch DIR    where peers are installed (default ${join(tmpdir(), 'skep-peers')})
  --out FILE       where the JSON goes (default bench/results/peers.json)`

const CONNECTIONS_COUNT = 64
const WARMUP_SECONDS = 1
const MAX_ROUNDS_COUNT = 100
const MAX_SECONDS = 60
const MAX_REASON_CHARACTERS = 500
/** Totals beyond this number are not exact. */
const MAX_RECORDS_COUNT = 10_000

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const { values } = parseArgs({
  options: {
    peers: { type: 'string' },
    cases: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    records: { type: 'string', default: String(MAX_RECORDS_COUNT) },
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
const scratch = resolve(values.scratch)
mkdirSync(scratch, { recursive: true })

const subjects: Subject[] = []
const skipped: { readonly name: string; readonly reason: string }[] = []
for (const peer of peers) {
  progress(`${peer.name}: installing, and creating ${settings.records} notes`)
  try {
    const installed = await peer.install(scratch)
    if (typeof installed === 'string') skipped.push({ name: peer.name, reason: installed })
    else subjects.push(await startSubject(context, peer, installed))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (peer === skep) throw error
    skipped.push({ name: peer.name, reason: reason.slice(0, MAX_REASON_CHARACTERS) })
  }
}
for (const { name, reason } of skipped) progress(`${name} is skipped: ${reason}`)

/** One round. A peer that does not get through one is left out of the case, and the reason is told. */
const runRound = async (each: Case, inContext: Context, subject: Subject, samples: Samples): Promise<boolean> => {
  try {
    await each.round(inContext, subject, samples)
    return true
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (subject.peer === skep) throw error
    progress(`${each.name}: ${subject.peer.name} is left out: ${reason}`)
    skipped.push({ name: `${subject.peer.name} in ${each.name}`, reason: reason.slice(0, MAX_REASON_CHARACTERS) })
    return false
  }
}

const samples = createSamples()
for (const each of cases) {
  progress(`${each.name}: ${each.about}`)
  const warming = { ...context, settings: { ...settings, seconds: settings.warmupSeconds } }
  const able: Subject[] = []
  for (const subject of subjects) if (await runRound(each, warming, subject, createSamples())) able.push(subject)
  for (let round = 0; round < settings.rounds; round++)
    for (const subject of able) await runRound(each, context, subject, samples)
}

const floorPath = join(temporaryFolder(), 'floor.bin')
const floorCommand = pinned([process.execPath, join(import.meta.dir, 'floors.ts'), floorPath], cores.server)
const floors: Floors = JSON.parse(await run(floorCommand, { cwd: scratch }))
for (const { running } of subjects) await running.stop()

const report = {
  kind: 'peers',
  date: started.toISOString(),
  machine: describeMachine(),
  versions: describeVersions(wrkVersion() ?? 'none'),
  settings: { ...settings, form: context.form.name, deployed_form: context.form.name, cores },
  seconds: Math.round((Date.now() - started.getTime()) / 1_000),
  peers: subjects.map(({ peer: { name, promises }, installed: { version } }) => ({ name, version, promises })),
  skipped,
  cases: cases.map(({ name, about }) => ({ name, about })),
  figures: samples.figures(),
  floors,
  rounds: samples.rounds(),
} as const
console.log(renderText(report))
const out = resolve(values.out)
mkdirSync(dirname(out), { recursive: true })
writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`)
process.exit(0)
