import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
} from '@tanstack/virtual-core'
import type { RefObject } from 'preact'
import { useLayoutEffect, useReducer, useState } from 'preact/hooks'

/** Rows beyond the edges that are there before they come into view. */
const OVERSCAN_COUNT = 5

interface Options {
  /** What scrolls. */
  readonly scroller: RefObject<HTMLElement | null>
  readonly count: number
  readonly rowHeight: number
}

interface VirtualRows {
  readonly rows: readonly VirtualItem[]
  /** The heights of the rows that are not rendered, before and after. */
  readonly before: number
  readonly after: number
}

/** Which of many rows of one height to render. */
export const useVirtualRows = ({ scroller, count, rowHeight }: Options): VirtualRows => {
  const [, render] = useReducer((renders: number) => renders + 1, 0)
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: OVERSCAN_COUNT,
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    onChange: () => render(undefined),
  }
  const [virtualizer] = useState(() => new Virtualizer<HTMLElement, Element>(options))
  virtualizer.setOptions(options)
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer])
  useLayoutEffect(() => virtualizer._willUpdate())
  const rows = virtualizer.getVirtualItems()
  const total = virtualizer.getTotalSize()
  return { rows, before: rows[0]?.start ?? 0, after: total - (rows.at(-1)?.end ?? 0) }
}
