import type { EventFrame } from './connection.ts'
import { SkepError } from './errors.ts'
import { compareBy, type ListedRecord, type Placed } from './order.ts'
import { backoffMs } from './platform.ts'
import type { Subscriptions } from './subscriptions.ts'
import { pause } from './transport.ts'
import type { ListOptions, Page, PageOptions } from './types.ts'

export interface LiveOptions<Entity> extends Pick<ListOptions<Entity>, 'filter' | 'sort'> {
  /** The list has the first so many records: by default, and at most, 10,000. */
  readonly limit?: number
}

/**
 * - `loading`: the list is read.
 * - `live`: it is what the server would list.
 * - `offline`: there is no connection, or nobody is signed in. The list is what it was before; empty if signed out.
 * - `error`: the server refuses it, and `error` says why.
 * - `closed`
 */
export type LiveStatus = 'loading' | 'live' | 'offline' | 'error' | 'closed'

/** A store: React's `useSyncExternalStore`, Svelte's `$` and Solid's `from` take it, or its methods, as they are. */
export interface Live<Entity> {
  /**
   * Calls the listener with the list now, and after every change of the list or its status. Returns a function that
   * ends this.
   */
  subscribe(listener: (records: readonly Entity[]) => void): () => void
  /** The list: the same array until it changes. */
  getSnapshot(): readonly Entity[]
  readonly status: LiveStatus
  /** Why the status is `error`, or the last failed attempt to read the list; null when it is live. */
  readonly error: SkepError | null
  /** Ends the list. */
  close(): void
}

const PAGE_SIZE = 100
const MAX_RECORDS_COUNT = 10_000
/** Events that wait while the list is read. With more it is read again. */
const MAX_HELD_EVENTS_COUNT = 10_000
/** Changes that need the list to be read again share one reading. */
const RELIST_MS = 200
const FIRST_RETRY_MS = 250

/** The records of a list in the order of the server, or the first of them. */
const createWindow = <Entity extends ListedRecord>(sort: string | undefined, limit: number) => {
  type Entry = Placed & { readonly record: Entity }
  const compare = compareBy(sort)
  let entries = new Map<number, Entry>()
  /** The last record of a list that goes on; null if the list is whole. */
  let horizon: Entry | null = null
  let needsList = false
  const uncertain = () => {
    needsList = true
  }
  const take = (id: number) => {
    if (entries.delete(id) && horizon !== null) needsList = true
  }
  return {
    /** Begins anew with what the server lists. */
    fill(records: readonly Entity[], hasMore: boolean) {
      entries = new Map(records.map((record, rank) => [record.id, { record, rank }]))
      horizon = hasMore ? ([...entries.values()].at(-1) ?? null) : null
      needsList = hasMore && horizon === null
    },
    apply({ event, data }: EventFrame) {
      if (/\.(deleted|left)$/.test(event)) return take(data.id)
      // What a topic sends besides are records.
      const record = data as Entity
      const known = entries.get(record.id)
      if (known !== undefined && known.record.version > record.version) return
      if (known?.record.version === record.version) {
        // It changed while it was listed: it may have been listed in its former place.
        entries.set(record.id, { record: known.record, rank: null })
        if (horizon !== null) needsList = true
        return
      }
      const entry = { record, rank: null }
      if (horizon !== null && compare(entry, horizon, uncertain) > 0) take(record.id)
      else entries.set(record.id, entry)
    },
    /** The list, and whether only the server knows how it goes on or is ordered. */
    settle(): { readonly records: readonly Entity[]; readonly needsList: boolean } {
      const sorted = [...entries.values()].sort((one, other) => compare(one, other, uncertain))
      for (const { record } of sorted.splice(limit)) {
        entries.delete(record.id)
        horizon = sorted.at(-1) ?? null
      }
      const isNeeded = needsList
      needsList = false
      return { records: Object.freeze(sorted.map(({ record }) => record)), needsList: isNeeded }
    },
  }
}

/** Whether reading again would end alike. */
const isFinal = ({ status, code }: SkepError): boolean =>
  code === 'aborted' || (status >= 400 && status < 500 && status !== 401 && status !== 408 && status !== 429)

export interface LiveDeps<Entity> {
  readonly topic: string
  readonly subscriptions: Subscriptions
  readonly list: (options: PageOptions<Entity>) => Promise<Page<Entity>>
  readonly maxRetryMs: number
  /** Closes the list. */
  readonly signal: AbortSignal
}

/**
 * Subscribes first, then lists, then applies the events that came meanwhile: nothing is missed in between. Versions tell
 * which events the list has already seen.
 */
export const createLive = <Entity extends ListedRecord>(
  { filter, sort, limit = MAX_RECORDS_COUNT }: LiveOptions<Entity>,
  { topic, subscriptions, list, maxRetryMs, signal }: LiveDeps<Entity>,
): Live<Entity> => {
  const size = Math.min(limit, MAX_RECORDS_COUNT)
  const window = createWindow<Entity>(sort, size)
  const listeners = new Set<(records: readonly Entity[]) => void>()
  const closing = new AbortController()
  let snapshot: readonly Entity[] = Object.freeze([])
  let status: LiveStatus = 'loading'
  let error: SkepError | null = null
  let isConnected = false
  /** Whether the window was filled. */
  let isKnown = false
  /** Events since the list is being read; null when it is not. */
  let held: EventFrame[] | null = null
  let relisting: ReturnType<typeof setTimeout> | undefined
  let isSettling = false
  let isDirty = false

  /** Once for what happens at the same time. */
  const changed = () => {
    if (isSettling) return
    isSettling = true
    queueMicrotask(() => {
      isSettling = false
      if (isDirty && isKnown) {
        const settled = window.settle()
        snapshot = settled.records
        if (settled.needsList) relistSoon()
      }
      isDirty = false
      for (const listener of [...listeners]) listener(snapshot)
    })
  }

  const become = (next: LiveStatus, reason: SkepError | null = null) => {
    if (status === 'closed' || (status === next && error === reason)) return
    status = next
    error = reason
    changed()
  }

  const forget = () => {
    isKnown = false
    held = null
    snapshot = Object.freeze([])
    clearTimeout(relisting)
    relisting = undefined
    changed()
  }

  const relistSoon = () => {
    relisting ??= setTimeout(() => {
      relisting = undefined
      if (isKnown && held === null) void relist()
    }, RELIST_MS)
  }

  const read = async () => {
    const records: Entity[] = []
    let cursor: string | null = null
    do {
      const page: Page<Entity> = await list({
        ...(filter === undefined ? {} : { filter }),
        ...(sort === undefined ? {} : { sort }),
        ...(cursor === null ? {} : { cursor }),
        size: Math.min(PAGE_SIZE, size),
        total: false,
        signal: closing.signal,
      })
      records.push(...page.items)
      cursor = page.next_cursor
    } while (cursor !== null && records.length < size)
    return { records: records.slice(0, size), hasMore: cursor !== null || records.length > size }
  }

  const relist = async (): Promise<void> => {
    const mine: EventFrame[] = []
    held = mine
    for (let failures = 0; held === mine; failures++) {
      try {
        const { records, hasMore } = await read()
        if (held !== mine) return
        held = null
        window.fill(records, hasMore)
        for (const event of mine) window.apply(event)
        isKnown = true
        isDirty = true
        changed()
        if (isConnected) become('live')
      } catch (reason) {
        if (held !== mine || !(reason instanceof SkepError)) return
        if (isFinal(reason)) return fail(reason)
        become(status, reason)
        await pause(backoffMs(failures, FIRST_RETRY_MS, maxRetryMs), closing.signal).catch(() => {})
      }
    }
  }

  const fail = (reason: SkepError) => {
    end()
    forget()
    become('error', reason)
  }

  const end = subscriptions.add({
    topic,
    filter,
    onSubscribed({ gap }) {
      isConnected = true
      if (gap || (!isKnown && held === null)) {
        become('loading')
        void relist()
      } else if (held === null) become('live')
    },
    onEvent(event) {
      if (held !== null && held.push(event) > MAX_HELD_EVENTS_COUNT) return void relist()
      if (!isKnown) return
      window.apply(event)
      isDirty = true
      changed()
    },
    onDown(isSignedOut) {
      isConnected = false
      if (isSignedOut) forget()
      become('offline', isSignedOut ? new SkepError('unauthenticated', 'Nobody is signed in') : null)
    },
    onEnd: (reason) => fail(reason),
  })

  const close = () => {
    signal.removeEventListener('abort', close)
    end()
    closing.abort()
    held = null
    clearTimeout(relisting)
    become('closed')
  }
  signal.addEventListener('abort', close)

  return {
    subscribe(listener) {
      // The same function may listen twice.
      const mine = (records: readonly Entity[]) => listener(records)
      listeners.add(mine)
      listener(snapshot)
      return () => listeners.delete(mine)
    },
    getSnapshot: () => snapshot,
    get status() {
      return status
    },
    get error() {
      return error
    },
    close,
  }
}
