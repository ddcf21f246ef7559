import type { Item } from './item.ts'
import type { Job } from './job.ts'
import type { Instant } from './user.ts'

export const ITEM_EVENTS = ['item.created', 'item.updated', 'item.deleted'] as const
export type ItemEventName = (typeof ITEM_EVENTS)[number]
export const JOB_EVENTS = ['job.done', 'job.dead'] as const
export type JobEventName = (typeof JOB_EVENTS)[number]

/** A change to an item, as it is in the log: who, what, when, from which request. */
export interface ItemEvent {
  /** Grows with every commit; what commits later has a higher one. */
  readonly cursor: number
  readonly event: ItemEventName
  /** As it was after the change, or before it was deleted. */
  readonly item: Item
  readonly actorId: number
  readonly requestId: string
  readonly createdAt: Instant
}

/** How a job ended. Its payload stays out of the log. */
export interface JobEvent {
  readonly cursor: number
  readonly event: JobEventName
  readonly job: Omit<Job, 'payload'>
  readonly createdAt: Instant
}

export type LoggedEvent = ItemEvent | JobEvent
export type NewItemEvent = Omit<ItemEvent, 'cursor'>
export type NewEvent = NewItemEvent | Omit<JobEvent, 'cursor'>
