import type { LoggedEvent, NewEvent } from '../../domain/event.ts'
import type { Instant } from '../../domain/user.ts'

/** The whole log, or the events of one kind: all, those of one owner, or those of one subject. */
export type EventScope =
  | 'all'
  | { readonly kind: string; readonly ownerId?: number }
  | { readonly kind: string; readonly subjectId: number }

export interface EventChunk {
  /** In the order of their commits. */
  readonly events: readonly LoggedEvent[]
  /** This and earlier chunks contain every event of the scope up to this position. */
  readonly reached: number
  /** Whether no events follow yet. */
  readonly complete: boolean
}

/** An event without its content. */
export type EventHead = Omit<LoggedEvent, 'data' | 'previous'>

/** Events without their content. */
export interface EventTally {
  readonly counts: readonly { readonly event: string; readonly count: number }[]
  /** The position of the last of them. */
  readonly reached: number
  readonly complete: boolean
}

export interface EventReader {
  /** Counts the events of each name after a position, up to `maxCount`, which costs much less than reading them. */
  tally(query: { readonly after: number; readonly maxCount: number }): Promise<EventTally>
  /**
   * The events of a scope after a position: up to `maxCount`, or to the one that reaches `maxBytes` of content. May end
   * early, even without any event, if finding more would take long.
   */
  chunk(query: {
    readonly scope: EventScope
    readonly after: number
    readonly maxCount: number
    readonly maxBytes: number
  }): Promise<EventChunk>
  /** The events of one subject before a position, newest first: up to `maxCount`, or to the one that reaches `maxBytes`. */
  newestOf(query: {
    readonly kind: string
    readonly subjectId: number
    /** Null for the end of the log. */
    readonly before: number | null
    readonly maxCount: number
    readonly maxBytes: number
  }): Promise<Pick<EventChunk, 'events' | 'complete'>>
  /**
   * The events before a position without their content, newest first: all, or those of one subject. Up to `maxCount`, or
   * to the one that reaches `maxBytes` of content, because skipping it takes time too.
   */
  heads(query: {
    readonly subject: { readonly kind: string; readonly subjectId: number } | null
    readonly before: number
    readonly maxCount: number
    readonly maxBytes: number
  }): Promise<{ readonly heads: readonly EventHead[]; readonly complete: boolean }>
  /** The newest event whose position is at most `position`. */
  latest(position: number): Promise<Pick<EventHead, 'position' | 'createdAt'> | null>
  /** The newest position ever assigned. */
  last(): Promise<number>
  /** `last`: the same. `removed`: the newest one that retention has removed. */
  bounds(): Promise<{ readonly last: number; readonly removed: number }>
}

/** The progress of {@link EventRepository.eraseOwned}. */
export interface EraseProgress {
  readonly kind: string
  readonly position: number
}

export interface EventRepository extends EventReader {
  append(event: NewEvent): Promise<void>
  /**
   * Removes up to `limit` events older than `instant` from the beginning of the log, stopping at the first that is not
   * older, and returns how many.
   */
  deleteBefore(instant: Instant, limit: number): Promise<number>
  /**
   * Removes a removed user's content from the log: the next `limit` events of subjects they owned, of every kind. Of
   * each record only its deletion stays, with empty fields, so that subscribers learn of it. Returns its progress; null
   * when nothing is left.
   */
  eraseOwned(ownerId: number, after: EraseProgress | null, limit: number): Promise<EraseProgress | null>
}
