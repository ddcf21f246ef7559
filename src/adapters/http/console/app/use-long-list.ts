import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { call } from './api.ts'
import { createLongList, type ListView } from './long-list.ts'
import type { Page } from './types.ts'

type Query = Readonly<Record<string, string>>

const PAGE_SIZE = 100

interface State<T> {
  /** The query of the rows that are shown. */
  readonly shownKey: string | null
  readonly view: ListView<T> | null
  /** Why the latest query has failed. */
  readonly error: Error | null
}

export interface LongList<T> extends State<T> {
  /** Whether `view` is of an earlier query. */
  readonly isOutdated: boolean
  /** Reads what is missing of the rows from `from` to `to`. */
  readonly show: (from: number, to: number) => void
  readonly refresh: () => void
}

/** A list of the API, read as it is scrolled. The rows of one query stay until the next one is answered. */
export const useLongList = <T>(path: string, query: Query): LongList<T> => {
  const key = JSON.stringify([path, Object.entries(query).filter(([, value]) => value !== '')])
  const [state, setState] = useState<State<T>>({ shownKey: null, view: null, error: null })
  const current = useRef<ReturnType<typeof createLongList<T>> | null>(null)
  useEffect(() => {
    const [, given]: [string, [string, string][]] = JSON.parse(key)
    const list = createLongList<T>({
      read: (cursor) =>
        call<Page<T>>('GET', path, { query: { size: PAGE_SIZE, ...Object.fromEntries(given), cursor } }),
      onChange: () => {
        const view = list.view()
        setState((before) =>
          view.first === null ? { ...before, error: view.error } : { shownKey: key, view, error: view.error },
        )
      },
    })
    current.current = list
    list.show(0, 0)
    return () => list.stop()
  }, [path, key])
  const show = useCallback((from: number, to: number) => current.current?.show(from, to), [])
  const refresh = useCallback(() => current.current?.refresh(), [])
  return { ...state, isOutdated: state.shownKey !== key, show, refresh }
}
