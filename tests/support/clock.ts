import type { Clock } from '../../src/application/ports/system.ts'

export interface TestClock extends Clock {
  advance(milliseconds: number): void
}

/** A clock that moves only when told. */
export const testClock = (start = Date.UTC(2030, 0, 1)): TestClock => {
  let now = start
  return {
    now: () => now,
    advance(milliseconds) {
      now += milliseconds
    },
  }
}
