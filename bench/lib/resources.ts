import { existsSync, readFileSync } from 'node:fs'

/** Linux counts in these whatever the kernel's own clock is (`USER_HZ`). */
const TICKS_PER_SECOND = 100

/** The resident memory of a process, in MB (10^6 bytes), shared pages of its program included. */
export const residentMemory = (pid: number): number => {
  const status = `/proc/${pid}/status`
  const kibibytes = existsSync(status)
    ? /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1]
    : Bun.spawnSync(['ps', '-o', 'rss=', '-p', String(pid)])
        .stdout.toString()
        .trim()
  if (!kibibytes) throw new Error(`process ${pid} is gone`)
  return (Number(kibibytes) * 1_024) / 1e6
}

/** Seconds of processor time a process has used, all its threads together; NaN where there is no /proc. */
export const processorTime = (pid: number): number => {
  const stat = `/proc/${pid}/stat`
  if (!existsSync(stat)) return Number.NaN
  // The name in parentheses may hold spaces; behind it the fields are in proc(5)'s order from the third on.
  const text = readFileSync(stat, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
