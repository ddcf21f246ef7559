import { createInFlight, type InFlight } from './in-flight.ts'

interface BodyOptions {
  readonly always?: 'always'
  readonly packed?: Promise<Uint8Array> | null
}

export interface ResponseBodies extends Pick<InFlight, 'check'> {
  /**
   * The text as a body, or `packed`, its compressed form. Throws as {@link InFlight.take} if the client has too much
   * unread data, unless `always` is set.
   */
  body(client: string, text: string, options?: BodyOptions): string | ReadableStream<Uint8Array>
}

/** Up to this size a response is written at once, because it fits into the socket's buffer. */
const LARGE_CHARACTERS = 65_536
const PIECE_BYTES = 65_536
/** A client that has not read a response within this time is disconnected. */
const MAX_READING_MS = 60_000

/**
 * A body that is sent as fast as the client reads it, and counts until then. If the client takes too long, the
 * connection is reset, so that a partial response does not look complete.
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
    // A copy, so that a chunk in transit does not retain the whole body.
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
      // Not an async function, because Bun would apply no backpressure.
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

export const createResponseBodies = (inFlight = createInFlight(), readingMs = MAX_READING_MS): ResponseBodies => ({
  check: inFlight.check,
  body(client, text, { always, packed = null } = {}) {
    if (packed === null && text.length < LARGE_CHARACTERS) return text
    const bytes = Buffer.byteLength(text)
    return streamOf(packed ?? Buffer.from(text), inFlight.take(client, bytes, always), readingMs)
  },
})
