/**
 * The compiled program under mixed load at a steady rate, for as long as one likes: does it leak? What it holds stays
 * about the same in size, so that what grows is not the data.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { cleanUpAtExit, temporaryFolder } from './lib/cleanup.ts'
import { describeMachine, describeVersions } from './lib/machine.ts'
import { renderPlot } from './lib/plot.ts'
import { databaseOf, findBinary, ROOT, skepOptions, startSkep } from './lib/skep.ts'
import { createJanitor } from './lib/soak-janitor.ts'
import { startSoakLoad } from './lib/soak-load.ts'
import { createSampler, growthOf, plotOf, type Sample } from './lib/soak-samples.ts'

const USAGE = `bun run soak [options]
  --minutes N  (default 60)
  --rate N     attempts a second (default 150)
  --actors N   users at work (default 40); a quarter of them have a socket
  --seed S     (default 1)
  --out FILE   where the JSON goes, and the plot beside it (default bench/results/soak.json)`

const SAMPLE_MS = 10_000
const TIDY_MS = 15_000
const ADMIN = { username: 'root@example.com', password: 'correct horse battery' }
const METRICS_TOKEN = 'metrics-of-the-soak-0123456789'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: '150' },
    actors: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: join(import.meta.dir, 'results/soak.json') },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}
const positive = (name: string, text: string): number => {
  const number = Number(text)
  if (Number.isFinite(number) && number > 0) return number
  console.error(`--${name}: expected a number above 0\n\n${USAGE}`)
  process.exit(2)
}
const minutes = positive('minutes', values.minutes)
const rate = positive('rate', values.rate)
const actors = Math.ceil(positive('actors', values.actors))
const seed = positive('seed', values.seed)

const run = async (
  command: readonly string[],
  options: { cwd: string; env?: Record<string, string>; stdin?: string },
) => {
  const { stdin = '', ...rest } = options
  const child = Bun.spawn([...command], { ...rest, stdin: Buffer.from(stdin), stdout: 'ignore', stderr: 'inherit' })
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')} failed`)
}

cleanUpAtExit()
if (findBinary() === null) await run([process.execPath, 'run', 'build'], { cwd: ROOT })
const form = findBinary()
if (form === null) throw new Error('dist/skep is missing')

const folder = temporaryFolder()
const env = { EVENT_RETENTION: '1m', HISTORY_RETENTION: '1m', METRICS_TOKEN }
const admin = [...form.program, 'admin', 'create', ADMIN.username, '--password-stdin']
await run(admin, { cwd: folder, env: { ...skepOptions(form, folder).env }, stdin: `${ADMIN.password}\n` })
const server = await startSkep(form, { folder, core: null, env })
const load = startSoakLoad({ url: server.url, rate, actors, subscribers: Math.ceil(actors / 4), seed })
const janitor = createJanitor({ url: server.url, dataDir: join(folder, 'data'), admin: ADMIN })
const database = databaseOf(folder)
const sampler = createSampler({
  url: server.url,
  pid: server.pid,
  database,
  metricsToken: METRICS_TOKEN,
  counts: load.counts,
})

const started = new Date()
const { wrk: _, ...versions } = describeVersions('')
const setting = { machine: describeMachine(), versions, settings: { minutes, rate, actors, seed } }
const samples: Sample[] = []
const begin = performance.now()
const passed = () => performance.now() - begin

const tidyUp = async () => {
  for (let runs = 1; passed() < minutes * 60_000; runs++) {
    await Bun.sleep(Math.max(0, runs * TIDY_MS - passed()))
    try {
      await janitor.run()
    } catch (error) {
      console.error(`tidying up: ${error}`)
      load.counts.errors++
    }
  }
}

const report = (end: string) => {
  const growth = growthOf(samples)
  const most = (value: (sample: Sample) => number) => Math.max(...samples.map(value))
  const total = (value: (sample: Sample) => number) => samples.reduce((sum, sample) => sum + value(sample), 0)
  const verdict = {
    rss_mb_per_hour: growth,
    rss_mb_max: most(({ rss_mb }) => rss_mb),
    descriptors_max: most(({ descriptors }) => descriptors),
    wal_mb_max: most(({ wal_mb }) => wal_mb),
    probe_p99_ms_max: most(({ probe_p99_ms }) => probe_p99_ms),
    cores_mean: total(({ cores }) => cores) / samples.length,
    errors: total(({ errors }) => errors),
  }
  const took = samples.at(-1)?.minutes ?? 0
  const title = `Skep under mixed load: ${took.toFixed(0)} minutes at ${rate} requests/s`
  const plot = plotOf(samples, title)
  const result = {
    date: started.toISOString(),
    ...setting,
    end,
    verdict,
    reasons: load.reasons,
    plot,
    samples,
  }
  const out = resolve(values.out)
  mkdirSync(dirname(out), { recursive: true })
  writeFileSync(out, `${JSON.stringify(result, null, 2)}\n`)
  writeFileSync(out.replace(/(\.json)?$/, '.svg'), renderPlot(plot))
  return verdict
}

const tidying = tidyUp()
for (let taken = 1; passed() < minutes * 60_000; taken++) {
  await Bun.sleep(Math.max(0, taken * SAMPLE_MS - passed()))
  const sample = await sampler.take()
  server.takeLog()
  samples.push(sample)
  const { rss_mb, descriptors, wal_mb, probe_p99_ms, cores, per_second, errors } = sample
  console.error(
    `${sample.minutes.toFixed(1)} min: ${rss_mb.toFixed(0)} MB, ${descriptors} descriptors, WAL ${wal_mb.toFixed(1)} MB, ` +
      `p99 ${probe_p99_ms.toFixed(1)} ms, ${cores.toFixed(2)} cores, ${per_second.toFixed(0)}/s, ${errors} errors`,
  )
  // Hours of work must not be lost with the last minute.
  report('under way')
}
sampler.stop()
await Promise.all([load.stop(), tidying])
await server.stop()
const verdict = report('done')
for (const reason of load.reasons) console.error(reason)
console.log(
  `resident memory ${verdict.rss_mb_per_hour >= 0 ? '+' : ''}${verdict.rss_mb_per_hour.toFixed(1)} MB/h over the last two thirds, ` +
    `at most ${verdict.rss_mb_max.toFixed(0)} MB; descriptors at most ${verdict.descriptors_max}; ` +
    `WAL at most ${verdict.wal_mb_max.toFixed(1)} MB; ${verdict.errors} errors; ${resolve(values.out)}`,
)
process.exit(verdict.errors > 0 ? 1 : 0)
