import { fstatSync, writeSync } from 'node:fs'

const isFull = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'EAGAIN'

/** Writes completely even to a full pipe; does nothing after its reader has closed it. */
const writeAll = (descriptor: 1 | 2, bytes: Uint8Array): void => {
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(descriptor, bytes, written)
    } catch (error) {
      if (!isFull(error)) return
    }
  }
}

const writeTo = (descriptor: 1 | 2) => (text: string) => writeAll(descriptor, Buffer.from(text))

/** Each writes to a stream of this process. */
export const writeOutput = writeTo(1)
export const writeError = writeTo(2)

/** On Linux, a write of at most this many bytes to a pipe is atomic (`PIPE_BUF`, pipe(7)); a larger one may be split. */
const MAX_ATOMIC_BYTES = 4_096
const NEWLINE = 10

/** The end of the last line that fits, or of the first one if that alone is too long. */
const endOfLines = (bytes: Buffer, start: number): number => {
  if (bytes.length - start <= MAX_ATOMIC_BYTES) return bytes.length
  const last = bytes.lastIndexOf(NEWLINE, start + MAX_ATOMIC_BYTES - 1)
  const end = last >= start ? last : bytes.indexOf(NEWLINE, start)
  return end === -1 ? bytes.length : end + 1
}

/** Writes lines to standard output, to which other threads write too: the lines stay whole, up to 4096 bytes each. */
export const writeLines = (text: string): void => {
  const bytes = Buffer.from(text)
  for (let start = 0, end = 0; start < bytes.length; start = end) {
    end = endOfLines(bytes, start)
    writeAll(1, bytes.subarray(start, end))
  }
}

/**
 * Whether standard output is a terminal, or another device such as `/dev/null`. `process.stdout` would know exactly, but
 * it loads Node's streams, which would make every start longer.
 */
export const isTerminal = (): boolean => {
  try {
    return fstatSync(1).isCharacterDevice()
  } catch {
    return false
  }
}
