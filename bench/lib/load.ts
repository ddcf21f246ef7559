import { join } from 'node:path'
import { track } from './cleanup.ts'
import { pinned } from './cores.ts'

export interface LoadProgram<Report> {
  /** What it saw, once it is done. Rejects when it failed. */
  readonly report: Promise<Report>
  /** Ends it before its time. */
  stop(): Promise<Report>
}

const GRACE_MS = 20_000

/**
 * Starts `loads/NAME.ts` in a process of its own: it gets `input` as JSON on standard input, and answers one line of
 * JSON when its time is over or SIGTERM comes. A `nice` one gives way to others on its core.
 */
export const startLoad = <Report>(
  name: string,
  input: unknown,
  { core, seconds, nice = false }: { readonly core: number | null; readonly seconds: number; readonly nice?: boolean },
): LoadProgram<Report> => {
  const program = join(import.meta.dir, '../loads', `${name}.ts`)
  const child = track(
    Bun.spawn(pinned([...(nice ? ['nice', '-n', '15'] : []), process.execPath, program], core), {
      stdin: new Blob([JSON.stringify(input)]),
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: seconds * 1_000 + GRACE_MS,
    }),
  )
  const read = async (): Promise<Report> => {
    const [output, complaint] = await Promise.all([child.stdout.text(), child.stderr.text()])
    if ((await child.exited) !== 0) throw new Error(`the load ${name} failed: ${complaint || 'no end in time'}`)
    return JSON.parse(output) as Report
  }
  const report = read()
  // Whoever waits for it hears of it; until then the failure must not end the program.
  report.catch(() => {})
  return {
    report,
    stop() {
      child.kill('SIGTERM')
      return report
    },
  }
}
