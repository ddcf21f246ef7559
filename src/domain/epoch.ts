/**
 * A period in which the data was not restored from a copy. Each start of an embedded server begins a new epoch, and so
 * does a restored database: changes written after a copy was made never belong to an epoch that the copy knows.
 */
export interface Epoch {
  /** Random, so that two epochs that begin from the same copy differ. */
  readonly id: string
  /** The newest position in this epoch; null for the current epoch. */
  readonly end: number | null
}

/** A position in the log of changes, and the epoch in which it was assigned. */
export interface Cursor {
  readonly epoch: string
  /** The number of the last event before this position. */
  readonly position: number
}

/** The epoch of everything written before epochs existed, and of nothing else. */
export const FIRST_EPOCH = '0'

/** How many epochs are kept. Cursors of older ones have long been a gap. */
export const MAX_EPOCHS_COUNT = 1_000

/** Whether everything up to `cursor` in its epoch is part of the current data. */
export const isWithin = (epoch: Epoch | null, { position }: Cursor): boolean =>
  epoch !== null && (epoch.end === null || position <= epoch.end)
