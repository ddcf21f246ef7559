import { compileExpression } from '../adapters/cel/compile.ts'
import { readDefinitionFiles } from '../adapters/fs/definition-files.ts'
import { compilePattern } from '../adapters/json-schema/patterns.ts'
import type { Collections } from '../application/collections.ts'
import type { AppliedDefinitions } from '../application/definition-applying.ts'
import { readDefinitions } from '../application/definition-files.ts'
import { createDefinitionPlanner, type GivenDefinition } from '../application/definition-plan.ts'
import type { DefinitionFault } from '../application/definition-relations.ts'
import type { Collection } from '../domain/collection.ts'
import { COLLECTIONS } from '../domain/collections/index.ts'
import { AppError, type Fault } from '../domain/errors.ts'

/** One line for each. */
export interface Problems {
  readonly problems: readonly string[]
}

/** One line for each fault; `names` are the collections that have a file. */
const linesOf = ({ message, faults = [], misfits }: AppError, names: readonly string[]): readonly string[] => {
  const lineOf = ({ name, pointer, detail }: Fault & Partial<DefinitionFault>): string => {
    if (name === undefined || !names.includes(name)) return detail
    return pointer === '' ? `${name}.json: ${detail}` : `${name}.json ${pointer}: ${detail}`
  }
  if (misfits === undefined) return faults.length === 0 ? [message] : faults.map(lineOf)
  const records = misfits.first.map(({ id, collection = '', faults: [fault] }) => {
    const { pointer = '', detail = '' } = fault ?? {}
    return `  ${collection} ${id}${pointer === '' ? '' : ` ${pointer}`}: ${detail}`
  })
  return [message, ...records]
}

/** Reads a folder and works on its definitions. Whatever is wrong with them becomes a line for each problem. */
const withDefinitions = async <T>(
  folder: string,
  work: (given: readonly GivenDefinition[]) => T | Promise<T>,
): Promise<T | Problems> => {
  const read = readDefinitionFiles(folder)
  if ('unreadable' in read) return { problems: [`${folder}: ${read.unreadable}`] }
  const given = readDefinitions(read.files)
  try {
    return await work(given)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return {
      problems: linesOf(
        error,
        given.map(({ name }) => name),
      ),
    }
  }
}

const sentences = ({ created, changed, deleted }: AppliedDefinitions, verbs: readonly [string, string, string]) => [
  ...created.map((name) => `${verbs[0]} ${name}`),
  ...changed.map((name) => `${verbs[1]} ${name}`),
  ...deleted.map((name) => `${verbs[2]} ${name}`),
]

const PLANNED = ['Would create', 'Would change', 'Would delete'] as const
const DONE = ['Created', 'Changed', 'Deleted'] as const

/**
 * Makes the database have the definitions of a folder, or only checks what that would change. Returns a line for each
 * change, or for each problem.
 */
export const applyFolder = (
  collections: Collections,
  { folder, check, prune }: { readonly folder: string; readonly check: boolean; readonly prune: boolean },
): Promise<{ readonly changes: readonly string[] } | Problems> =>
  withDefinitions(folder, async (given) => ({
    changes: sentences(await collections.apply(given, { prune, check }), check ? PLANNED : DONE),
  }))

/** The collections that a database would have with the definitions of a folder, and no others. */
export const collectionsIn = (folder: string): Promise<{ readonly collections: readonly Collection[] } | Problems> => {
  const planOf = createDefinitionPlanner({ collections: COLLECTIONS, compilePattern, compileExpression })
  return withDefinitions(folder, (given) => ({ collections: [...COLLECTIONS, ...planOf(given, [], []).created] }))
}
