import type { Log } from '../../application/ports/system.ts'
import { EXIT } from './program.ts'

/** The first SIGTERM or SIGINT. A second one ends the process at once. */
export const untilSignal = (): Promise<NodeJS.Signals> => {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(EXIT.failed)
      stopping = true
      resolve(signal)
    })
  }
  return promise
}

/**
 * Logs failures that nothing handles: an unhandled rejection is logged, an uncaught exception also ends the process
 * with 1.
 */
export const logCrashes = (log: Log): void => {
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }))
  process.on('uncaughtException', (error) => {
    // The state of the process is unknown; the database stays consistent for the next start.
    log.error('uncaught exception', { error })
    process.exit(EXIT.failed)
  })
}
