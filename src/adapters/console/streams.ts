import { fstatSync, writeSync } from 'node:fs'

const isFull = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'EAGAIN'

/**
 * Writes to a stream of this process, completely even if it is a full pipe; does nothing after its reader has closed
 * it.
 */
const writeTo =
  (descriptor: 1 | 2) =>
  (text: string): void => {
    const bytes = Buffer.from(text)
    for (let written = 0; written < bytes.length; ) {
      try {
        written += writeSync(descriptor, bytes, written)
      } catch (error) {
        if (!isFull(error)) return
      }
    }
  }

export const writeOutput = writeTo(1)
export const writeError = writeTo(2)

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
