export interface BackgroundWorker {
  /** Call it when there is work. */
  start(): void
  stop(): void
}

const RETRY_MS = 1_000

/**
 * Runs steps of work in the background until `step` returns that nothing is left. Pauses as long as each step took, so
 * that half of the time is left for other work. A failed step is retried.
 */
export const createBackgroundWorker = (step: () => Promise<boolean>): BackgroundWorker => {
  let isWorking = false
  let isWanted = false
  let isStopped = false
  let timer: ReturnType<typeof setTimeout> | undefined

  const work = async () => {
    const startedAt = performance.now()
    let pauseMs = RETRY_MS
    try {
      isWanted = false
      const more = await step()
      if (!more && !isWanted) {
        isWorking = false
        return
      }
      pauseMs = performance.now() - startedAt
    } catch {
      // The database is locked, full or closing.
    }
    if (isStopped) return
    timer = setTimeout(work, pauseMs)
    timer.unref()
  }

  return {
    start() {
      isWanted = true
      if (isWorking || isStopped) return
      isWorking = true
      void work()
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
