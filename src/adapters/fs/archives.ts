import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Archives } from '../../application/ports/backups.ts'
import { codeOf, copy, makeFolder, syncFolder, toAppError } from './blob-store.ts'

const UNFINISHED = '.part'

/** Keeps archives as files in a folder, which is created when the first one is written; unfinished ones end in `.part`. */
export const createFsArchives = (folder: string): Archives => {
  const pathOf = (name: string): string => {
    if (name === '' || name.startsWith('.') || basename(name) !== name) throw new Error('not the name of an archive')
    return join(folder, name)
  }

  return {
    async write(name, body) {
      const path = pathOf(name)
      const part = path + UNFINISHED
      let file: FileHandle | null = null
      try {
        await makeFolder(folder)
        // A killed process may have left one.
        file = await open(part, 'w', 0o600)
        const written = await copy(body, file)
        await file.close()
        await rename(part, path)
        await syncFolder(folder)
        return written
      } catch (error) {
        await file?.close().catch(() => {})
        await rm(part, { force: true }).catch(() => {})
        throw toAppError(error)
      }
    },

    async read(name, first, end) {
      const file = Bun.file(pathOf(name))
      return (await file.exists()) ? file.slice(first, end) : null
    },

    async size(name) {
      try {
        return (await stat(pathOf(name))).size
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return null
        throw toAppError(error)
      }
    },

    async delete(name) {
      const path = pathOf(name)
      for (const each of [path, path + UNFINISHED]) await rm(each, { force: true })
    },
  }
}
