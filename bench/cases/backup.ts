import { callAt } from '../../tests/support/call.ts'
import { residentMegabytes } from '../../tests/support/resources.ts'
import { MULTIPART, multipart, part } from '../../tests/support/uploads.ts'
import type { Case, CaseResult, Context } from '../lib/case.ts'
import { type CollectionData, sharedCollections } from '../lib/collection-data.ts'
import { SECRET } from '../lib/crowd.ts'
import { startLoad } from '../lib/load.ts'
import { peakMemory } from '../lib/memory.ts'
import type { Server } from '../lib/server.ts'
import { startSkep } from '../lib/skep.ts'
import type { MixedInput, MixedReport } from '../loads/mixed.ts'

/** As much as an upload may have by default. */
const FILE_BYTES = 10_000_000
/** One gigabyte beside a million records. */
const RECORDS_PER_FILE_COUNT = 10_000
const CONNECTIONS_COUNT = 32
const READS_PER_SECOND = 300
const WRITES_PER_SECOND = 100
const MAX_SECONDS = 900
const WARM_UP_SECONDS = 5
/** The same load without a backup, which shows what the load itself costs. */
const QUIET_SECONDS = 15
const POLL_MS = 200
const MAX_P99_MS = 50
const MAX_ADDED_MEMORY_MB = 128

/** Files that do not compress. */
const uploadFiles = async ({ url }: Server, token: string, count: number): Promise<void> => {
  const content = new Uint8Array(FILE_BYTES)
  for (let from = 0; from < FILE_BYTES; from += 65_536) crypto.getRandomValues(content.subarray(from, from + 65_536))
  for (let n = 0; n < count; n++) {
    const body = multipart(part('name="file"; filename="a.bin"', content))
    const { status } = await callAt(url, 'POST', '/files/', { token, body, headers: { 'content-type': MULTIPART } })
    if (status !== 201) throw new Error(`an upload answered ${status}`)
  }
}

const requestOf = (method: string, path: string, token: string, json?: object): string => {
  const body = json === undefined ? '' : JSON.stringify(json)
  const head = [`${method} ${path} HTTP/1.1`, 'host: localhost', `authorization: Bearer ${token}`]
  const content = json === undefined ? [] : ['content-type: application/json', `content-length: ${body.length}`]
  return `${[...head, ...content].join('\r\n')}\r\n\r\n${body}`
}

/** Reads and writes of the owners of lists, each by half of the connections, until they are stopped. */
const loadOn = ({ cores }: Context, { url }: Server, { lists }: CollectionData) => {
  const some = lists.slice(0, CONNECTIONS_COUNT)
  const start = (requests: readonly string[], perSecond: number) => {
    const more = { connections: CONNECTIONS_COUNT, seconds: MAX_SECONDS, keepTimes: false }
    const input: MixedInput = { url, requests, perSecond, ...more }
    return startLoad<MixedReport>('mixed', input, { core: cores.load, seconds: MAX_SECONDS })
  }
  const read = ({ id, owner }: (typeof some)[number]) =>
    requestOf('GET', `/api/v1/collections/lists/records/${id}`, owner.token)
  const write = ({ owner }: (typeof some)[number]) =>
    requestOf('POST', '/api/v1/items/', owner.token, { title: 'Milk' })
  return { reads: start(some.map(read), READS_PER_SECOND), writes: start(some.map(write), WRITES_PER_SECOND) }
}

interface BackupBody {
  readonly id: number
  readonly state: string
  readonly size: number | null
  readonly detail: string | null
}

const makeBackup = async ({ url }: Server, token: string): Promise<BackupBody> => {
  const { body: begun } = await callAt<BackupBody>(url, 'POST', '/admin/backups', { token })
  for (;;) {
    await Bun.sleep(POLL_MS)
    const { body } = await callAt<BackupBody>(url, 'GET', `/admin/backups/${begun.id}`, { token })
    if (body.state !== 'running') return body
  }
}

const during = async <T>(context: Context, skep: Server, data: CollectionData, work: () => Promise<T>) => {
  const { reads, writes } = loadOn(context, skep, data)
  const result = await work()
  return { result, reads: await reads.stop(), writes: await writes.stop() }
}

/** What others notice of a backup. */
export const backup: Case = {
  name: 'backup',
  about: 'reads and writes of 64 clients while a large collection and its files are backed up',
  async run(context): Promise<CaseResult> {
    const data = await sharedCollections(context)
    const { admin, recordsCount, folder } = data
    const filesCount = Math.ceil(recordsCount / RECORDS_PER_FILE_COUNT)
    const env = { ...SECRET, UPLOAD_TYPES: '*/*' }
    await using skep = await startSkep(context.form, { folder, core: context.cores.server, env })
    await uploadFiles(skep, admin.token, filesCount)
    await during(context, skep, data, () => Bun.sleep(WARM_UP_SECONDS * 1_000))
    const idle = residentMegabytes(skep.pid)
    using quietMemory = peakMemory(skep.pid)
    const quiet = await during(context, skep, data, () => Bun.sleep(QUIET_SECONDS * 1_000))
    const addedByLoad = quietMemory.peak() - idle
    using memory = peakMemory(skep.pid)
    const from = performance.now()
    const made = await during(context, skep, data, () => makeBackup(skep, admin.token))
    const seconds = (performance.now() - from) / 1_000
    if (made.result.state !== 'done') throw new Error(`the backup failed: ${made.result.detail}`)
    const added = memory.peak() - idle
    const p99 = (kind: 'reads' | 'writes') => ({ value: made[kind].p99SinceSent, floor: quiet[kind].p99SinceSent })
    const megabytes = (made.result.size ?? 0) / 1_000_000
    context.progress(`${seconds.toFixed(1)} s for ${megabytes.toFixed(0)} MB, p99 of reads ${p99('reads').value} ms`)
    return {
      figures: [
        { name: 'p99 of reads', unit: 'ms', ...p99('reads'), bar: { of: 'value', atMost: MAX_P99_MS } },
        { name: 'p99 of writes', unit: 'ms', ...p99('writes') },
        { name: 'writes refused', unit: '', value: made.writes.refused, bar: { of: 'value', atMost: 0 } },
        {
          name: 'memory added',
          unit: 'MB',
          value: added,
          floor: addedByLoad,
          bar: { of: 'value', atMost: MAX_ADDED_MEMORY_MB },
        },
        { name: 'archive', unit: 'MB', value: megabytes },
        { name: 'made in', unit: 's', value: seconds },
      ],
      detail: { form: context.form.name, records: recordsCount, files: filesCount, quiet, made },
    }
  },
}
