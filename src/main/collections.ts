import { systemClock } from '../adapters/bun/clock.ts'
import type { Migrated } from '../adapters/cli/commands.ts'
import { isEmbedded, type Settings } from '../adapters/env/settings.ts'
import { makeDataDir } from '../adapters/fs/data-dir.ts'
import { writeDefinitionFiles } from '../adapters/fs/definition-files.ts'
import type { Collections } from '../application/collections.ts'
import type { Engine } from '../application/ports/engine.ts'
import { typeDeclarationsOf } from '../application/type-declarations.ts'
import { formatDefinition } from '../domain/definition.ts'
import { engineOf, requireDatabase } from './choices.ts'
import { applyFolder, collectionsIn, type Problems } from './definition-folder.ts'
import { composeCollections } from './foundation.ts'

const withStore = async <T>(engine: Engine, work: (collections: Collections) => Promise<T>): Promise<T> => {
  const store = engine.open()
  try {
    return await work(composeCollections(store, systemClock))
  } finally {
    await store.close()
  }
}

/** Opens an existing database for a command that only reads definitions; it may be served meanwhile. */
const readingCollections = async <T>(settings: Settings, work: (collections: Collections) => Promise<T>) => {
  requireDatabase(settings)
  const engine = engineOf(settings)
  await engine.ensureMigrated()
  return withStore(engine, work)
}

/** Opens the database for a command that changes definitions. An embedded one must not be served meanwhile. */
const changingCollections = async <T>(
  settings: Settings,
  work: (collections: Collections, migrations: readonly string[]) => Promise<T>,
  migrate: (engine: Engine) => Promise<readonly string[]> = (engine) => engine.ensureMigrated(),
): Promise<T> => {
  const engine = engineOf(settings)
  const isAlone = isEmbedded(settings.DATABASE_URL)
  if (isAlone) makeDataDir(settings.DATA_DIR)
  const unlock = engine.lock()
  try {
    const migrations = await migrate(engine)
    return await withStore(engine, async (collections) => {
      if (isAlone) await collections.abandonUnfinished({ isAlone })
      return work(collections, migrations)
    })
  } finally {
    unlock()
  }
}

/** The command `collections apply`. */
export const applyCollections = (
  settings: Settings,
  options: { readonly folder: string; readonly check: boolean; readonly prune: boolean },
) =>
  (options.check ? readingCollections : changingCollections)(settings, (all: Collections) => applyFolder(all, options))

/** The command `collections export`. */
export const exportCollections = async (settings: Settings, folder: string): Promise<readonly string[]> => {
  const all = await readingCollections(settings, (collections) => collections.all())
  writeDefinitionFiles(
    folder,
    all.map((collection) => ({ name: collection.name, text: formatDefinition(collection) })),
  )
  return all.map(({ name }) => name)
}

/** The command `types`. */
export const declareTypes = async (
  settings: Settings,
  folder: string | undefined,
): Promise<{ readonly text: string } | Problems> => {
  if (folder === undefined) {
    return { text: typeDeclarationsOf(await readingCollections(settings, (collections) => collections.all())) }
  }
  const read = await collectionsIn(folder)
  return 'problems' in read ? read : { text: typeDeclarationsOf(read.collections) }
}

const applied = (migrations: readonly string[]) => migrations.map((name) => `Applied ${name}`)

/** The command `migrate`: applies migrations, and then the definitions of COLLECTIONS_DIR. */
export const migrate = async (settings: Settings): Promise<Migrated> => {
  const { COLLECTIONS_DIR: folder } = settings
  if (folder === undefined) return { changes: applied(await engineOf(settings).migrate()), problems: [] }
  return changingCollections(
    settings,
    async (collections, migrations) => {
      const result = await applyFolder(collections, { folder, check: false, prune: false })
      const changes = 'changes' in result ? result.changes : []
      return { changes: [...applied(migrations), ...changes], problems: 'problems' in result ? result.problems : [] }
    },
    (engine) => engine.migrate(),
  )
}

/** The command `migrate --check`: what {@link migrate} would do. Creates nothing. */
export const pendingChanges = async (settings: Settings): Promise<Migrated> => {
  const { COLLECTIONS_DIR: folder } = settings
  const engine = engineOf(settings)
  const pending = (await engine.pending()).map((name) => `Pending ${name}`)
  if (folder === undefined) return { changes: pending, problems: [] }
  if (pending.length > 0) {
    return { changes: [...pending, 'Pending definitions of COLLECTIONS_DIR, known after these'], problems: [] }
  }
  const result = await withStore(engine, (all) => applyFolder(all, { folder, check: true, prune: false }))
  return 'problems' in result ? { changes: [], ...result } : { ...result, problems: [] }
}
