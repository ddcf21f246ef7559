import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DefinitionFile } from '../../application/definition-files.ts'

const EXTENSION = '.json'

/** A schema may have 64 kB; this leaves room for rules and for indentation. */
const MAX_FILE_BYTES = 1_048_576

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error)

const FOLDER_REASONS: Readonly<Record<string, string>> = { ENOENT: 'no such folder', ENOTDIR: 'not a folder' }

const readFile = (path: string, name: string): DefinitionFile => {
  try {
    const status = statSync(path)
    if (!status.isFile()) return { name, unreadable: 'Expected a file' }
    if (status.size > MAX_FILE_BYTES) return { name, unreadable: 'Expected at most 1 MiB' }
    return { name, text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)) }
  } catch (error) {
    return { name, unreadable: error instanceof TypeError ? 'Expected UTF-8' : `Cannot be read (${codeOf(error)})` }
  }
}

/** Every `NAME.json` in a folder, in the order of their names, without hidden files; or why it cannot be read. */
export const readDefinitionFiles = (
  folder: string,
): { readonly files: readonly DefinitionFile[] } | { readonly unreadable: string } => {
  try {
    const entries = readdirSync(folder).filter((entry) => entry.endsWith(EXTENSION) && !entry.startsWith('.'))
    return { files: entries.sort().map((entry) => readFile(join(folder, entry), entry.slice(0, -EXTENSION.length))) }
  } catch (error) {
    const code = codeOf(error)
    return { unreadable: FOLDER_REASONS[code] ?? `cannot be read (${code})` }
  }
}

/** Creates the folder if it does not exist. Other files in it stay. */
export const writeDefinitionFiles = (
  folder: string,
  files: readonly { readonly name: string; readonly text: string }[],
): void => {
  mkdirSync(folder, { recursive: true })
  for (const { name, text } of files) writeFileSync(join(folder, `${name}${EXTENSION}`), text)
}
