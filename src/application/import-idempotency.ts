import { IDEMPOTENCY_TTL_MS, type IdempotencyRecord, type StoredResponse } from '../domain/idempotency.ts'
import type { Instant } from '../domain/user.ts'
import { type IdempotencyRequest, type IdempotentResult, keyInUse, keyMismatch, sameBytes } from './idempotency.ts'
import { type ImportLine, type ImportResult, NOTHING_IMPORTED } from './import-results.ts'
import type { Tx } from './ports/persistence.ts'

/** An import with an Idempotency-Key. Its `fingerprint` is that of an import without lines. */
export interface ImportIdempotency extends IdempotencyRequest<ImportResult> {
  /** The fingerprint of a request with this fingerprint after it continues with these lines. */
  readonly extend: (fingerprint: Uint8Array, lines: readonly ImportLine[]) => Uint8Array
}

/** How far an import has come. */
interface Progress {
  /** The last line of the last part that is stored. */
  readonly line: number
  readonly result: ImportResult
}

/** No response has it: marks the record of an import that has not ended, with its progress as body. */
const UNFINISHED_STATUS = 0

const toUnfinished = (progress: Progress): StoredResponse => ({
  status: UNFINISHED_STATUS,
  headers: {},
  body: JSON.stringify(progress),
})

const progressOf = ({ response: { status, body } }: IdempotencyRecord): Progress | null =>
  status === UNFINISHED_STATUS ? (JSON.parse(body) as Progress) : null

/** The record of a key that is still valid. */
export const findImport = async (
  tx: Tx,
  userId: number,
  { route, key }: ImportIdempotency,
  now: Instant,
): Promise<IdempotencyRecord | null> => {
  const found = await tx.idempotency.find(userId, route, key)
  return found !== null && found.createdAt > now - IDEMPOTENCY_TTL_MS ? found : null
}

/**
 * What makes an import with an Idempotency-Key take effect once. Each part is stored in one transaction with how far the
 * import has come, so the same request continues where an interrupted one ended; `found` is what an earlier one has left.
 * Requests with the same key in several processes may begin at the same time: only one of them stores a part, the others
 * find that the record is no longer the one they know.
 */
export const createImportOnce = (userId: number, idempotency: ImportIdempotency, found: IdempotencyRecord | null) => {
  const { key, route, extend, responseOf } = idempotency
  const progress = found === null ? null : progressOf(found)
  const isFinished = found !== null && progress === null
  /** Of the lines read so far. */
  let fingerprint = idempotency.fingerprint
  /** That of the record. */
  let recorded = found?.fingerprint ?? null
  let hasReached = progress === null

  const put = (tx: Tx, response: StoredResponse, now: Instant): Promise<void> =>
    tx.idempotency.put({ userId, route, key, fingerprint, response, role: 'admin', createdAt: now })

  const requireRecorded = async (tx: Tx, now: Instant): Promise<IdempotencyRecord | null> => {
    const current = await findImport(tx, userId, idempotency, now)
    const isSame = current === null ? recorded === null : recorded !== null && sameBytes(current.fingerprint, recorded)
    if (!isSame) throw keyInUse()
    return current
  }

  return {
    /** The result of the parts that an earlier request has stored. */
    earlier: progress?.result ?? NOTHING_IMPORTED,

    /**
     * Whether an earlier request has stored these lines, which follow those of the last call. Throws
     * `idempotency_mismatch` if it has stored others.
     */
    skips(lines: readonly ImportLine[]): boolean {
      fingerprint = extend(fingerprint, lines)
      if (isFinished) return true
      if (hasReached || progress === null) return false
      const last = lines.at(-1)?.number ?? 0
      if (last > progress.line) throw keyMismatch()
      if (last < progress.line) return true
      if (recorded === null || !sameBytes(fingerprint, recorded)) throw keyMismatch()
      hasReached = true
      return true
    },

    /** To be called in the transaction that stores a part, with the result up to there. */
    async record(tx: Tx, after: Progress, now: Instant): Promise<void> {
      await requireRecorded(tx, now)
      await put(tx, toUnfinished(after), now)
    },

    /** That transaction is committed. */
    recorded(): void {
      recorded = fingerprint
    },

    /** Ends the import. Throws `idempotency_mismatch` if an earlier request had more or other lines. */
    async end(tx: Tx, result: ImportResult, now: Instant): Promise<IdempotentResult<ImportResult>> {
      if (!hasReached) throw keyMismatch()
      const current = await requireRecorded(tx, now)
      if (isFinished && current !== null) {
        if (!sameBytes(current.fingerprint, fingerprint)) throw keyMismatch()
        return { replayed: current.response }
      }
      await put(tx, responseOf(result), now)
      return { result }
    },
  }
}

export type ImportOnce = ReturnType<typeof createImportOnce>
