import { existsSync, readFileSync } from 'node:fs'

/** Which core the servers run on and which the load comes from; null where the system decides. */
export interface Cores {
  readonly server: number | null
  readonly load: number | null
  /** All but the server's: the load's among them. */
  readonly rest: readonly number[]
}

/** The cores this process may use; a container may be given any. */
const allowed = (): readonly number[] => {
  if (!existsSync('/proc/self/status')) return []
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  return list.split(',').flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

/** Two cores of their own, when there are two and `taskset` can bind a process to one. */
export const pickCores = (): Cores => {
  const [server, ...rest] = Bun.which('taskset') === null ? [] : allowed()
  const [load] = rest
  return server === undefined || load === undefined ? { server: null, load: null, rest: [] } : { server, load, rest }
}

/** One core, any of several, or any there is: null, or none of several. */
export type Core = number | readonly number[] | null

/** The command, bound to a core. */
export const pinned = (command: readonly string[], core: Core): string[] => {
  const list = [core ?? []].flat().join(',')
  return list === '' ? [...command] : ['taskset', '-c', list, ...command]
}
