import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Linux counts in these whatever the kernel's own clock is (`USER_HZ`). */
const TICKS_PER_SECOND = 100

/** Bytes of memory that a process has, shared pages of its program included. */
export const residentMemory = (pid: number): number => {
  const status = `/proc/${pid}/status`
  const kibibytes = existsSync(status)
    ? /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1]
    : Bun.spawnSync(['ps', '-o', 'rss=', '-p', String(pid)])
        .stdout.toString()
        .trim()
  if (!kibibytes) throw new Error(`process ${pid} is gone`)
  return Number(kibibytes) * 1_024
}

/** The same in MB (10^6 bytes). */
export const residentMegabytes = (pid: number): number => residentMemory(pid) / 1e6

/** The fields of /proc/PID/stat behind the name, in proc(5)'s order from the third on; null when there is none. */
const statusOf = (pid: number): readonly string[] | null => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

/** Seconds of processor time a process has used, all its threads together; NaN where there is no /proc. */
export const processorTime = (pid: number): number => {
  const fields = statusOf(pid)
  return (Number(fields?.[11]) + Number(fields?.[12])) / TICKS_PER_SECOND
}

/** The same of a process and its children, those that ended included; NaN where there is no /proc. */
export const processorTimeOfFamily = (pid: number): number => {
  const ended = statusOf(pid)?.slice(13, 15).map(Number) ?? []
  const children = (existsSync('/proc') ? readdirSync('/proc') : []).filter(
    (name) => /^\d+$/.test(name) && Number(statusOf(Number(name))?.[1]) === pid,
  )
  // Whoever ends meanwhile is left out.
  const times = children.map((child) => processorTime(Number(child)) || 0)
  return [...times, ...ended.map((ticks) => ticks / TICKS_PER_SECOND)].reduce(
    (sum, time) => sum + time,
    processorTime(pid),
  )
}
