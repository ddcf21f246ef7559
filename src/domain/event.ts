import type { Item } from './item.ts'
import type { Job } from './job.ts'
import type { Instant } from './user.ts'

export type ItemEventName = 'item.created' | 'item.updated' | 'item.deleted'
export type JobEventName = 'job.done' | 'job.dead'

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
