import type { EventFrame } from './connection.ts'
import { SkepError } from './errors.ts'
import type { ListedRecord } from './order.ts'
import { backoffMs } from './platform.ts'
import type { Subscriptions } from './subscriptions.ts'
import { pause } from './transport.ts'
import type { ListOptions, Page, PageOptions } from './types.ts'
import { createWindow } from './window.ts'

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

/** Reads the list page by page, up to `size` records. */
const readList = async <Entity>(
  { filter, sort }: LiveOptions<Entity>,
  list: LiveDeps<Entity>['list'],
  size: number,
  signal: AbortSignal,
) => {
  const records: Entity[] = []
  let cursor: string | null = null
  do {
    const page: Page<Entity> = await list({
      ...(filter === undefined ? {} : { filter }),
      ...(sort === undefined ? {} : { sort }),
      ...(cursor === null ? {} : { cursor }),
      size: Math.min(PAGE_SIZE, size),
      total: false,
      signal,
    })
    records.push(...page.items)
    cursor = page.next_cursor
  } while (cursor !== null && records.length < size)
  return { records: records.slice(0, size), hasMore: cursor !== null || records.length > size }
}

/** What listeners see: a list and its status. They are called once for what changes at the same time. */
const createStore = <Entity>(refresh: () => readonly Entity[] | null) => {
  const listeners = new Set<(records: readonly Entity[]) => void>()
  let snapshot: readonly Entity[] = Object.freeze([])
  let status: LiveStatus = 'loading'
  let error: SkepError | null = null
  let isSettling = false

  const changed = () => {
    if (isSettling) return
    isSettling = true
    queueMicrotask(() => {
      isSettling = false
      snapshot = refresh() ?? snapshot
      for (const listener of [...listeners]) listener(snapshot)
    })
  }

  return {
    snapshot: () => snapshot,
    status: () => status,
    error: () => error,
    changed,
    empty() {
      snapshot = Object.freeze([])
      changed()
    },
    become(next: LiveStatus, reason: SkepError | null = null) {
      if (status === 'closed' || (status === next && error === reason)) return
      status = next
      error = reason
      changed()
    },
    subscribe(listener: (records: readonly Entity[]) => void): () => void {
      // The same function may listen twice.
      const mine = (records: readonly Entity[]) => listener(records)
      listeners.add(mine)
      listener(snapshot)
      return () => listeners.delete(mine)
    },
  }
}

/**
 * Subscribes first, then lists, then applies the events that came meanwhile: nothing is missed in between. Versions tell
 * which events the list has already seen.
 */
export const createLive = <Entity extends ListedRecord>(
  options: LiveOptions<Entity>,
  { topic, subscriptions, list, maxRetryMs, signal }: LiveDeps<Entity>,
): Live<Entity> => {
  const { filter, sort, limit = MAX_RECORDS_COUNT } = options
  const size = Math.min(limit, MAX_RECORDS_COUNT)
  const window = createWindow<Entity>(sort, size)
  const closing = new AbortController()
  let isConnected = false
  /** Whether the window was filled. */
  let isKnown = false
  /** Events since the list is being read; null when it is not. */
  let held: EventFrame[] | null = null
  let relisting: ReturnType<typeof setTimeout> | undefined
  let isDirty = false

  const store = createStore<Entity>(() => {
    const isStale = isDirty && isKnown
    isDirty = false
    if (!isStale) return null
    const settled = window.settle()
    if (settled.needsList) relistSoon()
    return settled.records
  })
  const { changed, become } = store

  const forget = () => {
    isKnown = false
    held = null
    clearTimeout(relisting)
    relisting = undefined
    store.empty()
  }

  const relistSoon = () => {
    relisting ??= setTimeout(() => {
      relisting = undefined
      if (isKnown && held === null) void relist()
    }, RELIST_MS)
  }

  const relist = async (): Promise<void> => {
    const mine: EventFrame[] = []
    held = mine
    for (let failures = 0; held === mine; failures++) {
      try {
        const { records, hasMore } = await readList(options, list, size, closing.signal)
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
        become(store.status(), reason)
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
    subscribe: store.subscribe,
    getSnapshot: store.snapshot,
    get status() {
      return store.status()
    },
    get error() {
      return store.error()
    },
    close,
  }
}
