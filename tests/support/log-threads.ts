import { isMainThread, Worker } from 'node:worker_threads'
import { writeLines } from '../../src/adapters/console/streams.ts'

// A program whose threads write lines to standard output as fast as they can, 128 at once.
if (isMainThread) {
  for (const _ of [1, 2]) new Worker(new URL(import.meta.url))
} else {
  for (let batch = 0; batch < 100; batch++) {
    const line = (at: number) => `${JSON.stringify({ batch, at, text: 'x'.repeat((37 * at) % 400) })}\n`
    writeLines(Array.from({ length: 128 }, (_, at) => line(at)).join(''))
  }
}
