import type { ArchiveEntry } from '../../application/ports/backups.ts'

/** Bytes of entries after which memory is collected. */
const COLLECT_EVERY_BYTES = 8_000_000

/**
 * The same entries, with a collection of the thread's garbage every few megabytes. Bun does not count the buffers that
 * streams leave behind, and would let hundreds of megabytes of them gather. Blocks the thread while it collects.
 */
export const collecting = async function* (entries: AsyncIterable<ArchiveEntry>): AsyncGenerator<ArchiveEntry> {
  let passed = 0
  const counted = async function* (body: ArchiveEntry['body']) {
    for await (const bytes of body) {
      yield bytes
      passed += bytes.byteLength
      if (passed < COLLECT_EVERY_BYTES) continue
      passed = 0
      Bun.gc(true)
    }
  }
  for await (const { body, ...entry } of entries) yield { ...entry, body: counted(body) }
}
