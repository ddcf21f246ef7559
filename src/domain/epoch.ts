/**
 * One life of the data. A start of an embedded server begins another, and so does a database that was restored: what
 * was written after a copy was made never belongs to an epoch that the copy knows.
 */
export interface Epoch {
  /** Random, so that two lives that begin at the same copy differ. */
  readonly id: string
  /** The newest cursor that belongs to it; null while it lasts. */
  readonly end: number | null
}

/** A place in the log of changes, and the epoch in which it was given out. */
export interface Cursor {
  readonly epoch: string
  /** The number of the last event before it. */
  readonly position: number
}

/** What was written before there were epochs belongs to this one, and nothing else does. */
export const FIRST_EPOCH = '0'

/** Epochs that are known; of older ones every cursor has long been a gap. */
export const MAX_EPOCHS_COUNT = 1_000

/** Whether somebody who has seen everything up to `cursor` in its epoch has seen a part of this data, and nothing else. */
export const isWithin = (epoch: Epoch | null, { position }: Cursor): boolean =>
  epoch !== null && (epoch.end === null || position <= epoch.end)
