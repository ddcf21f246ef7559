import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Subprocess } from 'bun'

const running = new Set<Subprocess>()
const folders: string[] = []
const endings = new Set<() => void>()

/** Kills the process if it still runs when the benchmark ends, however that comes about. */
export const track = <T extends Subprocess>(child: T): T => {
  running.add(child)
  void child.exited.then(() => running.delete(child))
  return child
}

/** Calls `end` when the benchmark ends, unless it was called before by what this answers. */
export const atExit = (end: () => void): (() => void) => {
  endings.add(end)
  return () => {
    if (endings.delete(end)) end()
  }
}

/** A folder that goes when the benchmark ends. */
export const temporaryFolder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'skep-bench-'))
  folders.push(path)
  return path
}

/** To be called once, before anything is started. */
export const cleanUpAtExit = (): void => {
  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL')
    for (const end of endings) end()
    for (const path of folders) rmSync(path, { recursive: true, force: true })
  })
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
}
