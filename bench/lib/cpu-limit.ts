import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const PERIOD_US = 10_000
/** Of the first and of the second version, as they are mounted nearly everywhere. */
const [V1, V2] = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup']

const isWritable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Where groups are made, and the file that takes their quota; null where we may make none. */
const findController = () => {
  if (existsSync(join(V1, 'cpu.cfs_quota_us'))) return isWritable(V1) ? { root: V1, version: 1 } : null
  const controllers = join(V2, 'cgroup.subtree_control')
  if (!existsSync(controllers) || !isWritable(controllers)) return null
  return readFileSync(controllers, 'utf8').split(/\s+/).includes('cpu') ? { root: V2, version: 2 } : null
}

/** Whether {@link limitCpu} can. */
export const canLimitCpu = (): boolean => findController() !== null

/** Gives a process at most so much of a core, from 0 to 1, until it ends; the group goes when this is disposed of. */
export const limitCpu = (pid: number, cores: number): Disposable => {
  const controller = findController()
  if (controller === null) throw new Error('no control groups for processor time')
  const group = join(controller.root, `skep-bench-${pid}`)
  const quota = Math.round(PERIOD_US * cores)
  mkdirSync(group)
  if (controller.version === 2) writeFileSync(join(group, 'cpu.max'), `${quota} ${PERIOD_US}`)
  else {
    writeFileSync(join(group, 'cpu.cfs_period_us'), String(PERIOD_US))
    writeFileSync(join(group, 'cpu.cfs_quota_us'), String(quota))
  }
  const members = (folder: string) => join(folder, 'cgroup.procs')
  writeFileSync(members(group), String(pid))
  return {
    [Symbol.dispose]() {
      if (existsSync(`/proc/${pid}`)) writeFileSync(members(controller.root), String(pid))
      rmdirSync(group)
    },
  }
}
