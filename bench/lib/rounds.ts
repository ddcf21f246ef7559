import { processorTime } from '../../tests/support/resources.ts'
import type { Bar, Context, Figure } from './case.ts'
import { median, spreadOf } from './statistics.ts'
import { type Load, type LoadResult, runWrk } from './wrk.ts'

/** What is sent to one server; how hard and how long is the same for both. */
export type Target = Omit<Load, 'connections' | 'seconds' | 'core'> & {
  readonly pid: number
  /** Called with each result. Throws when the server did not do all it should have. */
  readonly check?: (result: LoadResult) => void
}

export interface Measured extends LoadResult {
  /** Microseconds of processor time. */
  readonly cpuPerRequest: number
  /** How much of one core the server had, from 0 to 1 and a little over. */
  readonly busy: number
}

export interface Pair {
  readonly skep: Measured
  readonly floor: Measured
}

/** Below this the server waited, for the load or for its core: requests/s then say little about it. */
const SATURATED_RATIO = 0.9

/** Loads one server for so long. */
export const measure = async ({ cores, settings }: Context, target: Target, seconds: number): Promise<Measured> => {
  const { check, pid, ...load } = target
  const before = processorTime(pid)
  const from = performance.now()
  const result = await runWrk({ ...load, seconds, connections: settings.connections, core: cores.load })
  const used = processorTime(pid) - before
  const busy = used / ((performance.now() - from) / 1_000)
  check?.(result)
  return { ...result, cpuPerRequest: (used / result.requests) * 1e6, busy }
}

/**
 * Loads floor and Skep in turn, so that whatever slows the machine meets both, and each round gives a ratio of two
 * neighbours in time.
 */
export const comparePairs = async (
  context: Context,
  targets: { skep: Target; floor: Target },
): Promise<readonly Pair[]> => {
  const { settings, progress } = context
  await measure(context, targets.floor, settings.warmupSeconds)
  await measure(context, targets.skep, settings.warmupSeconds)
  const pairs: Pair[] = []
  for (let round = 1; round <= settings.rounds; round++) {
    const floor = await measure(context, targets.floor, settings.seconds)
    const skep = await measure(context, targets.skep, settings.seconds)
    pairs.push({ skep, floor })
    const [own, raw] = [skep.requestsPerSecond, floor.requestsPerSecond]
    progress(`round ${round}: ${own.toFixed(0)} against ${raw.toFixed(0)} requests/s, ${(own / raw).toFixed(3)}`)
  }
  return pairs
}

const MEASURES = [
  { name: 'requests/s', unit: '', of: (result: Measured) => result.requestsPerSecond },
  { name: 'CPU/request', unit: 'µs', of: (result: Measured) => result.cpuPerRequest },
] as const

/** The rows for what was measured of each pair, with the bars that were set. */
export const pairFigures = (
  pairs: readonly Pair[],
  bars: { readonly [name in (typeof MEASURES)[number]['name']]?: Bar },
): readonly Figure[] => {
  const times = (of: (result: Measured) => number) => ({
    value: median(pairs.map(({ skep }) => of(skep))),
    floor: median(pairs.map(({ floor }) => of(floor))),
  })
  const latency = { p50: times(({ p50 }) => p50), p99: times(({ p99 }) => p99) }
  return MEASURES.map(({ name, unit, of }) => {
    const bar = bars[name]
    return {
      name,
      unit,
      value: median(pairs.map(({ skep }) => of(skep))),
      floor: median(pairs.map(({ floor }) => of(floor))),
      ratio: median(pairs.map(({ skep, floor }) => of(skep) / of(floor))),
      ...(name === 'requests/s' ? latency : {}),
      ...(bar === undefined ? {} : { bar }),
    }
  }).filter(({ value }) => !Number.isNaN(value))
}

/** A warning when the servers were not what limited the load. */
export const saturationNotes = (pairs: readonly Pair[]): readonly string[] => {
  const busy = median(pairs.flatMap(({ skep, floor }) => [skep.busy, floor.busy]))
  // Without /proc there is nothing to judge by.
  if (!(busy < SATURATED_RATIO)) return []
  const share = `${Math.round(busy * 100)} %`
  return [`the servers had ${share} of a core: something else ran, and the ratio of requests/s leans towards 1`]
}

/** How far the rounds lay apart. */
export const ratioSpread = (pairs: readonly Pair[]) =>
  spreadOf(pairs.map(({ skep, floor }) => skep.requestsPerSecond / floor.requestsPerSecond))
