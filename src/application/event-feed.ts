import { FIRST_EPOCH, isWithin } from '../domain/epoch.ts'
import type { LoggedEvent } from '../domain/event.ts'
import type { EventScope } from './ports/events.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Log } from './ports/system.ts'

export interface FeedListener {
  /** Whether nobody would get an event: those committed meanwhile are only counted, later, by {@link onSkipped}. */
  isIdle?(): boolean
  /** Called for events of one name instead of the calls for each. */
  onSkipped?(event: string, count: number): void
  /** Called before {@link onEvent}, with the feed still before the event; what it returns is awaited. */
  prepare?(event: LoggedEvent): Promise<void> | undefined
  /** Called once per event, in order. The next call follows when the returned promise has settled. */
  onEvent(event: LoggedEvent): Promise<void> | undefined
  /** Called at the end of the log. The log is read again when the returned promise has settled. */
  onCaughtUp(): Promise<void> | undefined
  /** Called when the data was restored from a copy: events delivered before may not be in its log. */
  onRestored(): void
}

/** Why the log could not be read. */
interface Failure {
  readonly error: unknown
}

/** Limits of one read. */
const MAX_CHUNK_COUNT = 200
const MAX_CHUNK_BYTES = 256 * 1024
/** Events that are skipped at once. */
const MAX_SKIPPED_COUNT = 1_000

/** Reads the log. Each result has the epoch that it belongs to. */
const createLogReads = (unitOfWork: UnitOfWork) => ({
  next: (scope: EventScope, after: number) =>
    unitOfWork.read(async (tx) => {
      const query = { scope, after, maxCount: MAX_CHUNK_COUNT, maxBytes: MAX_CHUNK_BYTES }
      return { ...(await tx.events.chunk(query)), current: tx.epochs.current }
    }),
  tally: (after: number) =>
    unitOfWork.read(async (tx) => {
      const tally = await tx.events.tally({ after, maxCount: MAX_SKIPPED_COUNT })
      return { ...tally, current: tx.epochs.current }
    }),
  end: () =>
    unitOfWork.read(async (tx) => {
      return { last: await tx.events.last(), current: tx.epochs.current }
    }),
  /** Whether the log has a position of an epoch. */
  has: (epoch: string, position: number) =>
    unitOfWork.read(async (tx) => isWithin(await tx.epochs.find(epoch), { epoch, position })),
})

/** Work that waits for the feed to be between two events. */
const createWaitingWork = () => {
  const waiting: (() => Promise<void>)[] = []
  return {
    isEmpty: () => waiting.length === 0,
    add: (work: () => Promise<void>): Promise<void> =>
      new Promise((resolve, reject) => void waiting.push(() => work().then(resolve, reject))),
    async run() {
      for (let work = waiting.shift(); work !== undefined; work = waiting.shift()) await work()
    },
    clear() {
      waiting.length = 0
    },
  }
}

interface ProgressDeps {
  readonly reads: ReturnType<typeof createLogReads>
  readonly waiting: ReturnType<typeof createWaitingWork>
  readonly isStopped: () => boolean
}

/** How far the feed has come in the log, and its steps from there. */
const createProgress = ({ reads: { tally, end, has }, waiting, isStopped }: ProgressDeps) => {
  let position = 0
  let epoch = FIRST_EPOCH
  let preparing = false

  /**
   * Switches to epoch `current`. Returns false, and skips to the end of the log, if the data was restored from a copy
   * that lacks the current position.
   */
  const enterEpoch = async (current: string): Promise<boolean> => {
    const known = await has(epoch, position)
    if (!known) position = (await end()).last
    epoch = current
    return known
  }

  const handle = async (event: LoggedEvent, { prepare, onEvent }: FeedListener): Promise<void> => {
    const prepared = prepare?.(event)
    if (prepared !== undefined) {
      preparing = true
      try {
        await prepared
      } finally {
        // In the step in which the position changes: who joins before it would miss the event.
        preparing = false
      }
      if (isStopped()) return
    }
    position = event.position
    const handled = onEvent(event)
    if (handled !== undefined) await handled
  }

  /** Skips events while nobody listens. Null if somebody does now, or if the data was restored: they must be read. */
  const skip = async ({ isIdle, onSkipped }: FeedListener): Promise<{ readonly complete: boolean } | null> => {
    const { counts, reached, complete, current } = await tally(position)
    // Whoever has joined meanwhile has been told of nothing after the position.
    if (current !== epoch || isIdle?.() !== true || !waiting.isEmpty() || isStopped()) return null
    position = reached
    for (const { event, count } of counts) onSkipped?.(event, count)
    return { complete }
  }

  return {
    position: () => position,
    epoch: () => epoch,
    isPreparing: () => preparing,
    begin(at: number, current: string) {
      position = at
      epoch = current
    },
    enterEpoch,
    handle,
    skip,
  }
}

/** Follows the log from its end, and passes each event to one listener. */
export const createEventFeed = (unitOfWork: UnitOfWork, log: Log) => {
  const reads = createLogReads(unitOfWork)
  const { next, end } = reads
  let listener: FeedListener | null = null
  let notified = false
  let isAsleep = false
  let running: Promise<Failure | null> | null = null
  const waiting = createWaitingWork()
  const { position, epoch, isPreparing, begin, enterEpoch, handle, skip } = createProgress({
    ...{ reads, waiting },
    isStopped: () => listener === null,
  })

  /** Reads until the log has no more events and there was no further call meanwhile. */
  const read = async (to: FeedListener): Promise<void> => {
    const { onCaughtUp, onRestored } = to
    for (let more = true; more || notified; ) {
      notified = false
      await waiting.run()
      const skipped = to.isIdle?.() === true ? await skip(to) : null
      if (skipped !== null) {
        more = !skipped.complete
        continue
      }
      const { events, complete, current } = await next('all', position())
      if (current !== epoch() && !(await enterEpoch(current))) {
        onRestored()
        continue
      }
      for (const event of events) {
        if (!waiting.isEmpty()) await waiting.run()
        if (listener === null) return
        await handle(event, to)
      }
      more = !complete
      const coalesced = more ? undefined : onCaughtUp()
      if (coalesced !== undefined) await coalesced
    }
    isAsleep = false
  }

  /** Reads to the end of the log. Never rejects, because most callers do not wait for the result. */
  const catchUp = (): Promise<Failure | null> => {
    notified = true
    if (listener === null) return Promise.resolve(null)
    running ??= read(listener)
      .then(
        () => null,
        (error: unknown) => {
          // The next call retries.
          notified = false
          log.warn('the log of changes could not be read', { error })
          return { error }
        },
      )
      .finally(() => {
        running = null
        if (notified) void catchUp()
      })
    return running
  }

  const isIdle = (): boolean => running === null && waiting.isEmpty() && listener?.isIdle?.() === true

  return {
    async start(to: FeedListener) {
      const { last, current } = await end()
      begin(last, current)
      listener = to
      await catchUp()
    },
    /** Something may have been committed. Does nothing while nobody listens: the next {@link catchUp} finds it. */
    notify() {
      if (isIdle()) isAsleep = true
      else void catchUp()
    },
    catchUp,
    /** Whether there may be events that nobody has read because nobody listened. */
    isAsleep: () => isAsleep,
    position,
    epoch,
    next,
    isPreparing,
    /** Runs `work` while no event is being handled. Nothing runs after {@link stop}. */
    exclusively(work: () => Promise<void>): Promise<void> {
      if (listener === null) return Promise.resolve()
      const done = waiting.add(work)
      void catchUp()
      return done
    },
    async stop() {
      listener = null
      await running
      waiting.clear()
    },
  }
}
