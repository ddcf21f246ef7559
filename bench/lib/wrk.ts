import { join } from 'node:path'
import { track } from './cleanup.ts'
import { type Core, pinned } from './cores.ts'

export interface Load {
  readonly url: string
  /** Asked for in turn instead of the one in `url`. */
  readonly paths?: readonly string[]
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** `{n}` in it stands for a text that no other request sends, `{each}` for the next of {@link each}. */
  readonly body?: string
  readonly each?: readonly (string | number)[]
  readonly connections: number
  readonly seconds: number
  /** After which an answer counts as missing; two seconds when absent. */
  readonly timeoutSeconds?: number
  readonly core: Core
}

/** What one run of wrk saw. */
export interface LoadResult {
  readonly requests: number
  readonly requestsPerSecond: number
  /** Milliseconds, as are the next two. */
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** The line that `report.lua` writes. */
interface Report {
  readonly requests: number
  readonly duration: number
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly errors: Readonly<Record<string, number>>
}

const GRACE_MS = 15_000

/** wrk's version; null when it is not installed. */
export const wrkVersion = (): string | null => {
  if (Bun.which('wrk') === null) return null
  const { stdout } = Bun.spawnSync(['wrk', '-v'], { stderr: 'ignore' })
  return /^wrk (\S+)/.exec(stdout.toString())?.[1] ?? 'unknown'
}

/** Loads a server from one thread. Rejects when anything but success was answered, or a connection failed. */
export const runWrk = async (load: Load): Promise<LoadResult> => {
  if (Bun.which('wrk') === null) throw new Error('wrk is missing; install it with: apt-get install wrk')
  const { url, paths = [], method, headers, body, each = [], connections, seconds, timeoutSeconds = 2, core } = load
  const flags = [
    '-t',
    '1',
    '-c',
    String(connections),
    '-d',
    `${seconds}s`,
    '--timeout',
    `${timeoutSeconds}s`,
    '--latency',
  ]
  const sent = Object.entries(headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const command = ['wrk', ...flags, '-s', join(import.meta.dir, 'report.lua'), ...sent, url]
  const wrk = track(
    Bun.spawn(pinned(command, core), {
      env: {
        ...process.env,
        BENCH_METHOD: method ?? 'GET',
        BENCH_PATHS: paths.join(' '),
        BENCH_EACH: each.join(' '),
        BENCH_RUN: `${crypto.randomUUID().slice(0, 8)}-`,
        ...(body === undefined ? {} : { BENCH_BODY: body }),
      },
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: seconds * 1_000 + GRACE_MS,
    }),
  )
  const [output, complaint] = await Promise.all([wrk.stdout.text(), wrk.stderr.text()])
  const line = /^REPORT (.+)$/m.exec(output)?.[1]
  if ((await wrk.exited) !== 0 || line === undefined) throw new Error(`wrk failed: ${output}${complaint}`)
  const report = JSON.parse(line) as Report
  const errors = Object.entries(report.errors).filter(([, count]) => count > 0)
  if (errors.length > 0 || report.requests === 0) {
    const found = errors.map(([kind, count]) => `${count} ${kind}`).join(', ')
    throw new Error(`${method ?? 'GET'} ${url}: ${report.requests} requests, errors: ${found || 'none'}`)
  }
  return {
    requests: report.requests,
    requestsPerSecond: report.requests / (report.duration / 1e6),
    p50: report.p50 / 1_000,
    p99: report.p99 / 1_000,
    max: report.max / 1_000,
  }
}
