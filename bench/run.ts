import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { CASES } from './cases/index.ts'
import { type Case, type CaseResult, type Context, meetsBar, type Settings } from './lib/case.ts'
import { cleanUpAtExit, temporaryFolder } from './lib/cleanup.ts'
import { pickCores } from './lib/cores.ts'
import { describeMachine, describeVersions } from './lib/machine.ts'
import { serviceVersions } from './lib/services.ts'
import { findBinary, SOURCE } from './lib/skep.ts'
import { renderTable } from './lib/table.ts'
import { wrkVersion } from './lib/wrk.ts'

const USAGE = `bun run bench [CASE...] [options]
bun run bench peers [options]    beside other servers; see: bun run bench peers --help
  --binary         put load on dist/skep instead of the source
  --rounds N       pairs of measurements a case (default 5)
  --seconds N      length of one measurement (default 2)
  --warmup N       seconds of load before the first (default 3)
  --connections N  (default 64)
  --records N      of the large collection (default 1000000); fewer for a quick run
  --out FILE       where the JSON goes (default bench/results/latest.json)
  --strict         exit 1 when a bar is not met
  --list           the cases`

const MAX_RECORDS_COUNT = 5_000_000

const fail = (message: string): never => {
  console.error(message)
  process.exit(1)
}

const readArguments = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        binary: { type: 'boolean', default: false },
        rounds: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '2' },
        warmup: { type: 'string', default: '3' },
        connections: { type: 'string', default: '64' },
        records: { type: 'string', default: '1000000' },
        out: { type: 'string', default: join(import.meta.dir, 'results/latest.json') },
        strict: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
  }
}

const positive = (name: string, text: string, most = 9_999): number =>
  /^[1-9]\d{0,6}$/.test(text) && Number(text) <= most
    ? Number(text)
    : fail(`--${name}: expected an integer from 1 to ${most}`)

const pickCases = (names: readonly string[]): readonly Case[] => {
  const unknown = names.filter((name) => !CASES.some((each) => each.name === name))
  if (unknown.length > 0) fail(`no case ${unknown.join(', ')}; there are ${CASES.map(({ name }) => name).join(', ')}`)
  return names.length === 0 ? CASES : CASES.filter(({ name }) => names.includes(name))
}

// The comparison with peers has settings and results of its own.
if (Bun.argv[2] === 'peers') {
  await import('./peers/run.ts')
  process.exit(0)
}
const { values, positionals } = readArguments()
if (values.help || values.list) {
  console.log(values.help ? USAGE : CASES.map(({ name, about }) => `${name.padEnd(22)} ${about}`).join('\n'))
  process.exit(0)
}
const cases = pickCases(positionals)
const settings: Settings = {
  rounds: positive('rounds', values.rounds),
  seconds: positive('seconds', values.seconds),
  warmupSeconds: positive('warmup', values.warmup),
  connections: positive('connections', values.connections),
  records: positive('records', values.records, MAX_RECORDS_COUNT),
}
const binary = findBinary()
const form = values.binary ? (binary ?? fail('dist/skep is missing; make it with: bun run build')) : SOURCE
const cores = pickCores()
if (cores.server === null)
  console.error('Not pinned (needs two cores and taskset): server and load share what there is.')

cleanUpAtExit()
const started = new Date()
const results: { readonly name: string; readonly seconds: number; readonly result: CaseResult }[] = []
for (const each of cases) {
  const context: Context = {
    settings,
    cores,
    form,
    deployedForm: binary ?? SOURCE,
    folder: temporaryFolder,
    progress: (text) => console.error(`${each.name}: ${text}`),
  }
  context.progress(each.about)
  const from = performance.now()
  try {
    const result = await each.run(context)
    results.push({ name: each.name, seconds: Math.round((performance.now() - from) / 1_000), result })
    if (result.skipped !== undefined) context.progress(`skipped: ${result.skipped}`)
  } catch (error) {
    fail(`${each.name} failed: ${error instanceof Error ? error.message : error}`)
  }
}

console.log(`\n${renderTable(results)}`)
for (const { name, result } of results) for (const note of result.notes ?? []) console.log(`${name}: ${note}`)

const out = resolve(values.out)
mkdirSync(dirname(out), { recursive: true })
const report = {
  date: started.toISOString(),
  machine: describeMachine(),
  versions: { ...describeVersions(wrkVersion() ?? 'none'), ...serviceVersions() },
  settings: { ...settings, form: form.name, deployed_form: (binary ?? SOURCE).name, cores },
  seconds: Math.round((Date.now() - started.getTime()) / 1_000),
  cases: results.map(({ name, seconds, result }) => ({
    name,
    seconds,
    ...(result.skipped === undefined ? {} : { skipped: result.skipped }),
    figures: result.figures.map((figure) => ({ ...figure, met: meetsBar(figure) })),
    notes: result.notes ?? [],
    detail: result.detail,
  })),
}
writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`)

const missed = results.flatMap(({ result }) => result.figures).filter((figure) => meetsBar(figure) === false)
process.exit(values.strict && missed.length > 0 ? 1 : 0)
