import { createInFlight, type InFlight } from './in-flight.ts'

interface BodyOptions {
  readonly always?: 'always'
  readonly packed?: Promise<Uint8Array> | null
}

export interface Answers extends Pick<InFlight, 'check'> {
  /**
   * The text as a body, or `packed` in its place: the same, compressed. Throws as {@link InFlight.take} when the client
   * has too much unread, unless it is to be answered `always`.
   */
  body(client: string, text: string, options?: BodyOptions): string | ReadableStream<Uint8Array>
}

/** Up to here an answer is handed to the system as a whole, which has room for it. */
const LARGE_CHARACTERS = 65_536
const PIECE_BYTES = 65_536
/** Whoever has not read an answer by then is cut off. */
const MAX_READING_MS = 60_000

/**
 * A body that is handed on as fast as the client takes it, and counted until then. When the client takes too long the
 * connection is reset, so that nobody takes a part for the whole.
 */
const streamOf = (
  bytes: Uint8Array | Promise<Uint8Array>,
  taken: Disposable,
  readingMs: number,
): ReadableStream<Uint8Array> => {
  let left: Uint8Array | null = bytes instanceof Uint8Array ? bytes : null
  let ended = false
  let timer: ReturnType<typeof setTimeout> | null = null
  const end = () => {
    if (timer !== null) clearTimeout(timer)
    ended = true
    left = null
    taken[Symbol.dispose]()
  }
  const push = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    if (ended || left === null) return
    // A copy: what is on its way to one client must not keep the whole.
    controller.enqueue(left.slice(0, PIECE_BYTES))
    left = left.subarray(PIECE_BYTES)
    if (left.byteLength > 0) return
    end()
    controller.close()
  }
  return new ReadableStream(
    {
      start(controller) {
        timer = setTimeout(() => {
          end()
          controller.error()
        }, readingMs)
        timer.unref()
      },
      // Not an async function: Bun would not wait for the client between two pieces.
      pull(controller) {
        if (bytes instanceof Uint8Array) return push(controller)
        return bytes.then((packed) => {
          left ??= packed
          push(controller)
        })
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
}

export const createAnswers = (inFlight = createInFlight(), readingMs = MAX_READING_MS): Answers => ({
  check: inFlight.check,
  body(client, text, { always, packed = null } = {}) {
    if (packed === null && text.length < LARGE_CHARACTERS) return text
    const bytes = Buffer.byteLength(text)
    return streamOf(packed ?? Buffer.from(text), inFlight.take(client, bytes, always), readingMs)
  },
})
