/** Closes one thing within so many milliseconds. */
type Closer = (timeout: number) => unknown

export interface Closers {
  add(close: Closer): void
  /** Closes what was added last first, all within `timeout` milliseconds, and each once. */
  closeAll(timeout: number): Promise<void>
}

export const createClosers = (): Closers => {
  const closers: Closer[] = []
  return {
    add: (close) => void closers.push(close),
    async closeAll(timeout) {
      const end = performance.now() + timeout
      for (let close = closers.pop(); close !== undefined; close = closers.pop()) {
        await close(Math.max(0, end - performance.now()))
      }
    },
  }
}
