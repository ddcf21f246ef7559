import type { StorageSize } from '../../application/ports/metrics.ts'
import { type Collected, type Sample, unlabelledSample } from './registry.ts'

/** How long a measurement is used. Postgres looks at each of its files. */
const MEASURED_FOR_MS = 10_000

/** One measurement serves all of these metrics, and scrapes in quick succession. */
export const storageMetrics = (
  measure: () => Promise<StorageSize>,
  now: () => number = () => performance.now(),
): readonly Collected[] => {
  let latest: { readonly size: Promise<StorageSize>; readonly at: number } | null = null
  const current = (): Promise<StorageSize> => {
    if (latest === null || now() - latest.at >= MEASURED_FOR_MS) latest = { size: measure(), at: now() }
    return latest.size
  }
  const gauge = (name: string, help: string, read: (size: StorageSize) => number | undefined): Collected => ({
    name,
    type: 'gauge',
    help,
    async samples(): Promise<readonly Sample[]> {
      const value = read(await current())
      return value === undefined ? [] : unlabelledSample(value)
    },
  })
  return [
    gauge('skep_database_size_bytes', 'Size of the database.', ({ database }) => database),
    gauge('skep_user_data_bytes', 'What counts towards the quotas of users.', ({ users }) => users),
    gauge('skep_disk_free_bytes', 'Free space of the fullest disk that is written to.', ({ disk }) => disk?.free),
    gauge('skep_disk_size_bytes', 'Size of the same disk.', ({ disk }) => disk?.size),
  ]
}
