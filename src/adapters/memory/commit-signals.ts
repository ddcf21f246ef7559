import type { CommitSignals } from '../../application/ports/messaging.ts'

/** For a single process: there is nobody to notify. */
export const createMemoryCommitSignals = (): CommitSignals => ({ publish() {}, subscribe() {} })
