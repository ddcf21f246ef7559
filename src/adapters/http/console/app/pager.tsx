import { useEffect, useState } from 'preact/hooks'
import { call } from './api.ts'
import { type Loaded, useLoad } from './loading.ts'
import type { Page } from './types.ts'
import { Button } from './ui.tsx'

export interface Paged<T> extends Loaded<Page<T>> {
  /** Of the page shown, from 1. */
  readonly number: number
  readonly next: () => void
  readonly previous: () => void
}

type Query = Readonly<Record<string, string | number>>

const PAGE_SIZE = 50

/** One page of a list of the API; another query begins with its first page. */
export const usePages = <T,>(path: string, query: Query): Paged<T> => {
  const view = JSON.stringify([path, query])
  const [cursors, setCursors] = useState<readonly string[]>([])
  // Another view begins with its first page.
  useEffect(() => setCursors([]), [view])
  const cursor = cursors.at(-1) ?? null
  const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''))
  const list = useLoad(`${view} ${cursor}`, () =>
    call<Page<T>>('GET', path, { query: { size: PAGE_SIZE, ...given, cursor } }),
  )
  return {
    ...list,
    number: cursors.length + 1,
    previous: () => setCursors(cursors.slice(0, -1)),
    next: () => {
      const next = list.data?.next_cursor
      if (next !== null && next !== undefined) setCursors([...cursors, next])
    },
  }
}

export const Pager = ({ pages }: { pages: Paged<unknown> }) => {
  const hasNext = pages.data !== null && pages.data.next_cursor !== null
  if (pages.number === 1 && !hasNext) return null
  return (
    <nav class="pager" aria-label="Pages">
      <Button disabled={pages.number === 1} onClick={pages.previous}>
        Previous
      </Button>
      <span>Page {pages.number}</span>
      <Button disabled={!hasNext} onClick={pages.next}>
        Next
      </Button>
    </nav>
  )
}
