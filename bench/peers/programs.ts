import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { compileOptions } from '../../scripts/compile-options.ts'
import { residentMegabytes } from '../../tests/support/resources.ts'
import type { Context } from '../lib/case.ts'
import { runWrk } from '../lib/wrk.ts'
import { type Api, type Installed, type Running, startPeer } from './peer.ts'
import { createSamples, type Samples } from './samples.ts'
import { skep } from './skep.ts'

/** What can be started, and answers. */
export interface Program {
  readonly peer: { readonly name: string; readonly api: Pick<Api, 'health'> }
  readonly installed: Pick<Installed, 'command' | 'deployed'>
}

const SETTLE_MS = 1_000
const WORKING_MEMORY = 'after the load'

const sizeOf = (path: string): number => {
  if (!existsSync(path)) return 0
  const status = lstatSync(path)
  return status.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0) : status.size
}

export const sampleSize = ({ peer, installed }: Program, samples: Samples): void => {
  const bytes = installed.deployed.reduce((sum, path) => sum + sizeOf(path), 0)
  samples.add({ case: 'size', name: 'deployed', unit: 'MB', better: 'less' }, peer.name, bytes / 1e6)
}

export const sampleWorkingMemory = ({ peer }: Program, { pid }: Pick<Running, 'pid'>, samples: Samples): void =>
  samples.add({ case: 'memory', name: WORKING_MEMORY, unit: 'MB', better: 'less' }, peer.name, residentMegabytes(pid))

/** Measures a start, and the memory before anybody asks; then calls `use`, and stops it. */
export const sampleStart = async (
  { peer, installed }: Program,
  home: string,
  samples: Samples,
  use?: (running: Running) => Promise<void>,
): Promise<void> => {
  // Not pinned: a start may use all cores.
  const running = await startPeer(peer, installed, { folder: home, core: null })
  samples.add({ case: 'start', name: 'to the first answer', unit: 'ms', better: 'less' }, peer.name, running.startMs)
  await Bun.sleep(SETTLE_MS)
  const idle = residentMegabytes(running.pid)
  samples.add({ case: 'memory', name: 'idle', unit: 'MB', better: 'less' }, peer.name, idle)
  await use?.(running)
  await running.stop()
}

const compile = async (floor: string, outfile: string): Promise<string> => {
  await Bun.build({ entrypoints: [join(import.meta.dir, `../floors/${floor}.ts`)], ...compileOptions(outfile) })
  return outfile
}

const programOf = (name: string, path: string, args: readonly string[] = []): Program => ({
  peer: { name, api: { health: '/health' } },
  installed: {
    deployed: [path],
    command: (port) => ({ command: [path, ...args], env: { PORT: String(port), NODE_ENV: 'production' } }),
  },
})

/**
 * What the start, the memory and the size of Skep contain at least: Bun that answers one path; Elysia with the plugins;
 * the same with a database of Skep's, opened as Skep opens it. Started in turn; the load asks all for `/health`.
 */
export const measurePrograms = async (context: Context, installed: Installed) => {
  const { cores, settings, folder } = context
  const [home, built] = [folder(), folder()]
  const bun = await compile('start-bun', join(built, 'bun'))
  const elysia = await compile('start-elysia', join(built, 'elysia'))
  await installed.prepare?.(home)
  const programs = [
    { peer: skep, installed },
    programOf('Bun', bun),
    programOf('Elysia', elysia),
    programOf('Elysia, SQLite', elysia, [join(home, 'data/skep.db')]),
  ]
  // The first start brings a program into the page cache.
  for (const program of programs) await sampleStart(program, home, createSamples())
  const samples = createSamples()
  for (let round = 0; round < settings.rounds; round++) {
    for (const program of programs) {
      await sampleStart(program, home, samples, async (running) => {
        const url = running.url + program.peer.api.health
        const { connections, seconds } = settings
        await runWrk({ url, connections, seconds, core: cores.load })
        sampleWorkingMemory(program, running, samples)
      })
    }
  }
  for (const program of programs) sampleSize(program, samples)
  return { names: programs.map(({ peer }) => peer.name), figures: samples.figures() }
}
