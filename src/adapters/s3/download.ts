import type { S3Client } from './client.ts'
import { toAppError } from './errors.ts'

/** Milliseconds to wait for the next byte. */
const MAX_SILENCE_MS = 30_000

/** How many times in a row an interrupted read is resumed. */
const MAX_RESUMES_COUNT = 3

const withTimeout = async <T>(work: Promise<T>): Promise<T> => {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error('S3 sent nothing for too long')), MAX_SILENCE_MS)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

interface Source {
  readonly reader: Pick<ReadableStreamDefaultReader<Uint8Array>, 'read'>
  readonly stop: () => void
}

const openAt = async (s3: S3Client, key: string, first: number, end: number): Promise<Source> => {
  const ending = new AbortController()
  const headers = { range: `bytes=${first}-${end - 1}` }
  const response = await s3.open({ method: 'GET', key, headers, signal: ending.signal })
  const stop = () => ending.abort()
  const given = /^bytes (\d+)-(\d+)\//.exec(response.headers.get('content-range') ?? '')
  if (response.status !== 206 || Number(given?.[1]) !== first || response.body === null) {
    stop()
    throw new Error(`S3 answered ${response.status} to a range, ${response.headers.get('content-range')}`)
  }
  return { reader: response.body.getReader(), stop }
}

/**
 * The bytes of an object from `first` up to, but not including, `end`, as fast as they are read. Rejects if S3 does not
 * respond; if it stalls later, the rest is requested again, and if that fails, the stream fails.
 */
export const download = async (s3: S3Client, key: string, first: number, end: number) => {
  let at = first
  let source: Source | null = await openAt(s3, key, first, end)
  let cancelled = false

  const next = async (): Promise<Uint8Array | null> => {
    for (let failures = 0; ; ) {
      source ??= await openAt(s3, key, at, end)
      try {
        const { done, value } = await withTimeout(source.reader.read())
        if (done && at === end) return null
        if (done || at + value.byteLength > end)
          throw new Error('S3 sent a different number of bytes than the object has')
        at += value.byteLength
        return value
      } catch (error) {
        source.stop()
        source = null
        if (cancelled || ++failures > MAX_RESUMES_COUNT) throw error
      }
    }
  }

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const bytes = await next()
          if (bytes === null) controller.close()
          else controller.enqueue(bytes)
        } catch (error) {
          controller.error(toAppError(error))
        }
      },
      cancel() {
        cancelled = true
        source?.stop()
      },
    },
    { highWaterMark: 0 },
  )
}
