import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DefinitionFile } from '../../application/definition-files.ts'

const EXTENSION = '.json'

/** Every `NAME.json` in a folder, in the order of their names. Throws if there is no such folder. */
export const readDefinitionFiles = (folder: string): readonly DefinitionFile[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith(EXTENSION))
    .sort()
    .map((file) => ({ name: file.slice(0, -EXTENSION.length), text: readFileSync(join(folder, file), 'utf8') }))

/** Creates the folder if it does not exist. Other files in it stay. */
export const writeDefinitionFiles = (folder: string, files: readonly DefinitionFile[]): void => {
  mkdirSync(folder, { recursive: true })
  for (const { name, text } of files) writeFileSync(join(folder, `${name}${EXTENSION}`), text)
}
