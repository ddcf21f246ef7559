import { useEffect, useRef, useState } from 'preact/hooks'
import { SkepError } from './api.ts'

const DELAY_MS = 400

/**
 * What the server says about something while it is typed. `typed` identifies what `check` asks about; null if there is
 * nothing to ask.
 */
export const useTypedCheck = (
  typed: string | null,
  check: (signal: AbortSignal) => Promise<unknown>,
): SkepError | null => {
  const [error, setError] = useState<SkepError | null>(null)
  const current = useRef(check)
  current.current = check
  useEffect(() => {
    if (typed === null) {
      setError(null)
      return
    }
    const controller = new AbortController()
    const timer = setTimeout(async () => {
      try {
        await current.current(controller.signal)
        setError(null)
      } catch (failure) {
        if (failure instanceof SkepError && failure.status === 422) setError(failure)
      }
    }, DELAY_MS)
    return () => {
      clearTimeout(timer)
      controller.abort()
    }
  }, [typed])
  return typed === null ? null : error
}
