import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const mount = (...args: string[]): string | null => {
  const { success, stderr } = Bun.spawnSync(['mount', ...args], { stdout: 'ignore', stderr: 'pipe' })
  return success ? null : stderr.toString().trim()
}

/** A small file system of its own, gone at the end of the scope that holds it by `using`. */
export interface Disk extends Disposable {
  readonly path: string
  /** Leaves no room for another byte. */
  fill(): void
  /** Takes back what {@link fill} took. */
  makeRoom(): void
  /** Refuses changes, or takes them again. Fails while a file of it is open for writing. */
  setReadOnly(readOnly: boolean): void
}

const open = (megabytes: number): Disk | string => {
  const path = mkdtempSync(join(tmpdir(), 'skep-disk-'))
  const refused =
    Bun.which('mount') === null
      ? 'there is no mount'
      : mount('-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'tmpfs', path)
  if (refused !== null) {
    rmSync(path, { recursive: true })
    return refused
  }
  const ballast = join(path, 'ballast')
  return {
    path,
    fill() {
      writeFileSync(ballast, '')
      for (const size of [65_536, 4_096, 1]) {
        try {
          for (;;) appendFileSync(ballast, Buffer.alloc(size))
        } catch {
          // Less than that is left.
        }
      }
    },
    makeRoom: () => rmSync(ballast),
    setReadOnly(readOnly) {
      const error = mount('-o', `remount,${readOnly ? 'ro' : 'rw'}`, path)
      if (error !== null) throw new Error(error)
    },
    [Symbol.dispose]() {
      Bun.spawnSync(['umount', '--lazy', path])
      rmSync(path, { recursive: true, force: true })
    },
  }
}

const attempt = open(1)
/** Whether this system lets nobody, or not us, mount a file system. */
export const cannotMount = typeof attempt === 'string'
if (typeof attempt === 'string') console.warn(`No disk to test with (${attempt}): tests of full disks are skipped.`)
else attempt[Symbol.dispose]()

/** Throws where it {@link cannotMount}. */
export const smallDisk = (megabytes: number): Disk => {
  const disk = open(megabytes)
  if (typeof disk === 'string') throw new Error(disk)
  return disk
}
