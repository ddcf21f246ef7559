import { useEffect, useState } from 'preact/hooks'
import { call } from './api.ts'
import { type Overview, withAnswer } from './overview-points.ts'

const POLL_MS = 2_000
/** For those who want things to move less. */
const CALM_POLL_MS = 10_000

const calm = matchMedia('(prefers-reduced-motion: reduce)')

interface History {
  readonly userId: number
  readonly answers: readonly Overview[]
}

/** Kept while other pages are shown, for the user to whom it was answered. */
let kept: History | null = null

export interface Polled {
  /** Of the last ten minutes. */
  readonly answers: readonly Overview[]
  /** Why the latest poll failed. */
  readonly error: Error | null
}

/** Asks for the overview again and again while the page is visible. */
export const useOverview = (userId: number): Polled => {
  const [state, setState] = useState<Polled>({ answers: kept?.userId === userId ? kept.answers : [], error: null })
  useEffect(() => {
    let isOver = false
    let isAsking = false
    let next: ReturnType<typeof setTimeout> | undefined
    const ask = async (): Promise<void> => {
      clearTimeout(next)
      if (isOver || isAsking || document.hidden) return
      isAsking = true
      try {
        const latest = await call<Overview>('GET', '/admin/overview')
        const answers = withAnswer(kept?.userId === userId ? kept.answers : [], latest)
        if (isOver) return
        kept = { userId, answers }
        setState({ answers, error: null })
      } catch (error) {
        if (!isOver)
          setState((before) => ({ ...before, error: error instanceof Error ? error : new Error(String(error)) }))
      }
      isAsking = false
      if (!isOver) next = setTimeout(ask, calm.matches ? CALM_POLL_MS : POLL_MS)
    }
    const changed = () => void ask()
    document.addEventListener('visibilitychange', changed)
    void ask()
    return () => {
      isOver = true
      clearTimeout(next)
      document.removeEventListener('visibilitychange', changed)
    }
  }, [userId])
  return state
}
