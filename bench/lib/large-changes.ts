import type { ImportInput, ImportReport } from '../loads/import.ts'
import { fetched, type Patient } from './beside.ts'
import type { Context } from './case.ts'
import type { CollectionData } from './collection-data.ts'
import { startLoad } from './load.ts'
import type { Server } from './server.ts'
import { TASKS, TASKS_WITH_ANOTHER_INDEX } from './tasks.ts'

/** For whatever goes on while a large change is made. */
export const MAX_CHANGE_SECONDS = 900
/** One record in this number of records is imported beside them. */
const IMPORT_SHARE = 5
/** Other than of the records that are there. */
const IMPORT_SEED = 1
const POLL_MS = 200

/** What a large change came to. */
export interface Changed {
  /** Records that it reached. */
  readonly records: number
  /** Why there was no answer; null if there was one. */
  readonly failure: string | null
}

interface Shown {
  readonly records: number
  readonly indexes: readonly unknown[]
}

/** Changes of a large collection, by an admin. */
export const largeChanges = ({ cores }: Context, { url }: Server, { admin, lists, recordsCount }: CollectionData) => {
  const address = `${url}/api/v1/collections/${TASKS.name}`
  const headers = { authorization: `Bearer ${admin.token}` }
  const shown = async (): Promise<Shown> => JSON.parse((await fetched(address, { headers })).body)

  return {
    /** Until the index is there, even if the connection is closed before. */
    async addIndex(): Promise<Changed> {
      const request: Patient = {
        method: 'PUT',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(TASKS_WITH_ANOTHER_INDEX),
        signal: AbortSignal.timeout(MAX_CHANGE_SECONDS * 1_000),
        timeout: false,
        // Else a request whose connection is closed would be sent again.
        keepalive: false,
      }
      const failure = await fetched(address, request).then(
        () => null,
        (error: unknown) => String(error),
      )
      const deadline = performance.now() + MAX_CHANGE_SECONDS * 1_000
      for (;;) {
        const { records, indexes } = await shown()
        if (indexes.length === TASKS_WITH_ANOTHER_INDEX.indexes.length) return { records, failure }
        if (performance.now() > deadline) throw new Error(`there is no index: ${failure ?? 'but an answer'}`)
        await Bun.sleep(POLL_MS)
      }
    },

    async importMore(): Promise<Changed> {
      const before = await shown()
      const count = Math.ceil(recordsCount / IMPORT_SHARE)
      const tasks = { lists: lists.map(({ id }) => id), count, seed: IMPORT_SEED }
      const input: ImportInput = { url, token: admin.token, tasks }
      const options = { core: cores.load, seconds: MAX_CHANGE_SECONDS, nice: true }
      const { failure } = await startLoad<ImportReport>('import', input, options).report
      return { records: (await shown()).records - before.records, failure }
    },
  }
}
