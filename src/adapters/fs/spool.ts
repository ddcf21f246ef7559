import { closeSync, createReadStream, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Spool } from '../../application/ports/transfer.ts'

/** A file in a temporary folder below `parent`. Writing blocks the thread. */
export const openSpool = (parent: string): Spool => {
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  const folder = mkdtempSync(join(parent, '.backup-'))
  const path = join(folder, 'lines')
  const file = openSync(path, 'wx', 0o600)
  return {
    async add(lines) {
      writeSync(file, lines.map((line) => `${line}\n`).join(''))
    },
    lines: () => createInterface({ input: createReadStream(path) }),
    async close() {
      closeSync(file)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
