import { createHistogram, LATENCY_BUCKETS } from './histogram.ts'
import type { Collected } from './registry.ts'

const LAG = 'skep_event_loop_lag_seconds'
const EVERY_MS = 50

export interface EventLoopLag {
  readonly metric: Collected
  stop(): void
}

/** How late a timer fires, which is how long everything else had to wait too. */
export const watchEventLoop = (): EventLoopLag => {
  const lags = createHistogram(LATENCY_BUCKETS)
  let due = 0
  let timer: ReturnType<typeof setTimeout> | null = null
  const wait = () => {
    due = performance.now() + EVERY_MS
    timer = setTimeout(ring, EVERY_MS)
    timer.unref()
  }
  const ring = () => {
    lags.observe(Math.max(0, performance.now() - due) / 1_000)
    wait()
  }
  wait()
  return {
    metric: {
      name: LAG,
      type: 'histogram',
      help: 'How much later than due a timer rang, looked at twenty times a second.',
      samples: () => lags.samples(LAG, {}),
    },
    stop() {
      if (timer !== null) clearTimeout(timer)
      timer = null
    },
  }
}
