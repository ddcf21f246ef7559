import { systemClock } from '../adapters/bun/clock.ts'
import type { Settings } from '../adapters/env/settings.ts'
import { makeDataDir } from '../adapters/fs/data-dir.ts'
import { writeDefinitionFiles } from '../adapters/fs/definition-files.ts'
import { compilePattern } from '../adapters/json-schema/patterns.ts'
import type { Collections } from '../application/collections.ts'
import { typeDeclarationsOf } from '../application/type-declarations.ts'
import type { Collection } from '../domain/collection.ts'
import { COLLECTIONS } from '../domain/collections/index.ts'
import { formatDefinition, parseDefinition } from '../domain/definition.ts'
import { engineOf } from './choices.ts'
import { applyFolder, lineOf, type Problems, readFolder } from './definition-folder.ts'
import { composeCollections } from './foundation.ts'

/** Opens the database for one command. An embedded one must not be served meanwhile. */
const withCollections = async <T>(settings: Settings, work: (collections: Collections) => Promise<T>): Promise<T> => {
  makeDataDir(settings.DATA_DIR)
  const engine = engineOf(settings)
  const unlock = engine.lock()
  try {
    await engine.ensureMigrated()
    const store = engine.open()
    try {
      return await work(composeCollections(store, systemClock))
    } finally {
      await store.close()
    }
  } finally {
    unlock()
  }
}

/** The command `collections apply`. */
export const applyCollections = (
  settings: Settings,
  options: { readonly folder: string; readonly check: boolean; readonly prune: boolean },
) => withCollections(settings, (collections) => applyFolder(collections, options))

/** The command `collections export`. */
export const exportCollections = async (settings: Settings, folder: string): Promise<readonly string[]> => {
  const all = await withCollections(settings, (collections) => collections.all())
  writeDefinitionFiles(
    folder,
    all.map((collection) => ({ name: collection.name, text: formatDefinition(collection) })),
  )
  return all.map(({ name }) => name)
}

const collectionsIn = (folder: string): { readonly collections: readonly Collection[] } | Problems => {
  const read = readFolder(folder)
  if ('problems' in read) return read
  const parsed = read.definitions.map(({ name, definition }) => ({ name, ...parse(definition) }))
  const problems = parsed.flatMap((each) =>
    'faults' in each ? each.faults.map((fault) => lineOf({ ...fault, name: each.name })) : [],
  )
  if (problems.length > 0) return { problems }
  return { collections: parsed.flatMap((each) => ('collection' in each ? [each.collection] : [])) }
}

const parse = (definition: Parameters<typeof parseDefinition>[0]) => {
  const builtIn = COLLECTIONS.find(({ name }) => name === definition.name)
  return builtIn === undefined ? parseDefinition(definition, compilePattern) : { collection: builtIn }
}

/** The command `types`. */
export const declareTypes = async (
  settings: Settings,
  folder: string | undefined,
): Promise<{ readonly text: string } | Problems> => {
  if (folder === undefined) {
    return { text: typeDeclarationsOf(await withCollections(settings, (collections) => collections.all())) }
  }
  const read = collectionsIn(folder)
  if ('problems' in read) return read
  const others = COLLECTIONS.filter((builtIn) => !read.collections.some(({ name }) => name === builtIn.name))
  return { text: typeDeclarationsOf([...others, ...read.collections]) }
}
