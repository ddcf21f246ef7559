import type { Json, JsonObject } from '../domain/merge-patch.ts'
import { isJsonObject } from '../domain/merge-patch.ts'

/** A file `NAME.json` with the definition of a collection. */
export interface DefinitionFile {
  readonly name: string
  readonly text: string
}

/** A definition, not checked yet. */
export interface GivenDefinition {
  readonly name: string
  readonly definition: JsonObject
}

/** Definitions of a folder, or a line for each fault. */
export type ReadDefinitions =
  | { readonly definitions: readonly GivenDefinition[] }
  | { readonly problems: readonly string[] }

const parse = (text: string): Json | undefined => {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

const problemOf = ({ name }: DefinitionFile, parsed: Json | undefined): string | null => {
  const file = `${name}.json`
  if (parsed === undefined) return `${file}: not valid JSON`
  if (!isJsonObject(parsed)) return `${file}: expected an object`
  return parsed.name === name ? null : `${file}: the name in a file must be the name of the file, "${name}"`
}

/** Reads the definitions of a folder. */
export const readDefinitions = (files: readonly DefinitionFile[]): ReadDefinitions => {
  const parsed = files.map((file) => ({ file, value: parse(file.text) }))
  const problems = parsed.flatMap(({ file, value }) => problemOf(file, value) ?? [])
  if (problems.length > 0) return { problems }
  const definitions = parsed.flatMap(({ file, value }) =>
    isJsonObject(value) ? [{ name: file.name, definition: value }] : [],
  )
  return { definitions }
}
