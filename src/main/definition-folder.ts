import { readDefinitionFiles } from '../adapters/fs/definition-files.ts'
import type { AppliedDefinitions, Collections } from '../application/collections.ts'
import { type ReadDefinitions, readDefinitions } from '../application/definition-files.ts'
import { COLLECTIONS } from '../domain/collections/index.ts'
import { AppError } from '../domain/errors.ts'

/** One line for each. */
export interface Problems {
  readonly problems: readonly string[]
}

export const readFolder = (folder: string): ReadDefinitions => readDefinitions(readDefinitionFiles(folder))

/** One line for each fault. */
const linesOf = (error: AppError): readonly string[] => {
  const { faults = [], misfits } = error
  if (misfits !== undefined) {
    return [error.message, ...misfits.listed.map(({ id, pointer, detail }) => `  record ${id} ${pointer}: ${detail}`)]
  }
  return faults.length === 0 ? [error.message] : faults.map(lineOf)
}

export const lineOf = (fault: { readonly name?: string; readonly pointer: string; readonly detail: string }): string =>
  `${fault.name === undefined ? '' : `${fault.name}.json `}${fault.pointer}: ${fault.detail}`

const sentences = ({ created, changed, deleted }: AppliedDefinitions, verbs: readonly [string, string, string]) => [
  ...created.map((name) => `${verbs[0]} ${name}`),
  ...changed.map((name) => `${verbs[1]} ${name}`),
  ...deleted.map((name) => `${verbs[2]} ${name}`),
]

const PLANNED = ['Would create', 'Would change', 'Would delete'] as const
const DONE = ['Created', 'Changed', 'Deleted'] as const

/** Makes the database have the definitions of a folder. Returns a line for each change, or for each problem. */
export const applyFolder = async (
  collections: Collections,
  { folder, check, prune }: { readonly folder: string; readonly check: boolean; readonly prune: boolean },
): Promise<{ readonly changes: readonly string[] } | Problems> => {
  const read = readFolder(folder)
  if ('problems' in read) return read
  const given = read.definitions
    .filter(({ name }) => !COLLECTIONS.some((collection) => collection.name === name))
    .map((definition) => ({ ...definition, transform: null }))
  try {
    return { changes: sentences(await collections.apply(given, { prune, check }), check ? PLANNED : DONE) }
  } catch (error) {
    if (error instanceof AppError) return { problems: linesOf(error) }
    throw error
  }
}
