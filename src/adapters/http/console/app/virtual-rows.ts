import type { RefObject } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'

/** Rows beyond the edges that are there before they come into view. */
const OVERSCAN_COUNT = 3

interface Options {
  /** What scrolls. */
  readonly scroller: RefObject<HTMLElement | null>
  readonly count: number
  readonly rowHeight: number
}

interface VirtualRow {
  readonly index: number
  /** That of a row that has left the view, so that its elements are used again. */
  readonly key: number
}

const modulo = (value: number, divisor: number): number => ((value % divisor) + divisor) % divisor

/** Which of many rows of one height to render, and the height of those before them. */
export const useVirtualRows = ({ scroller, count, rowHeight }: Options) => {
  const [{ top, size }, setView] = useState({ top: 0, size: 0 })
  useLayoutEffect(() => {
    const { current: element } = scroller
    if (element === null) return
    const look = () => {
      const next = {
        top: Math.floor(element.scrollTop / rowHeight) - OVERSCAN_COUNT,
        size: Math.ceil(element.clientHeight / rowHeight) + 1 + 2 * OVERSCAN_COUNT,
      }
      setView((before) => (before.top === next.top && before.size === next.size ? before : next))
    }
    // Also reports the size at the beginning.
    const observer = new ResizeObserver(look)
    observer.observe(element)
    element.addEventListener('scroll', look, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', look)
    }
  }, [scroller, rowHeight])
  const former = useRef({ first: 0, origin: 0 })
  const first = Math.max(0, Math.min(top, count - size))
  const { first: formerFirst, origin } = former.current
  // After a jump every row is another one, and none has to move.
  const isJump = Math.abs(first - formerFirst) >= size
  former.current = { first, origin: isJump ? origin + first - formerFirst : origin }
  const shown = Math.min(size, count - first)
  const rows = Array.from({ length: shown }, (_, place): VirtualRow => {
    const index = first + place
    return { index, key: modulo(index - former.current.origin, size) }
  })
  return { rows, before: first * rowHeight }
}
