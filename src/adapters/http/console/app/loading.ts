import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

export interface Loaded<T> {
  /** The latest result; null before the first one. */
  readonly data: T | null
  /** Why the latest attempt failed. */
  readonly error: Error | null
  readonly isLoading: boolean
  readonly reload: () => void
}

/** Loads again whenever `key` changes, and keeps the result of the same key until the next one arrives. */
export const useLoad = <T>(key: string, load: () => Promise<T>): Loaded<T> => {
  const [state, setState] = useState<{ key: string; data: T | null; error: Error | null; isLoading: boolean }>({
    key,
    data: null,
    error: null,
    isLoading: true,
  })
  const latest = useRef(0)
  const current = useRef(load)
  current.current = load
  const reload = useCallback(() => {
    const attempt = ++latest.current
    const finish = (change: { data?: T; error: Error | null }) => {
      if (attempt === latest.current) setState((before) => ({ ...before, key, ...change, isLoading: false }))
    }
    setState((before) => ({ ...before, isLoading: true }))
    current.current().then(
      (data) => finish({ data, error: null }),
      (error: Error) => finish({ error }),
    )
  }, [key])
  useEffect(() => {
    reload()
    return () => {
      latest.current++
    }
  }, [reload])
  return { ...state, reload }
}

/** Runs an action of the user one at a time, and keeps why it failed. */
export const useAction = <A extends readonly unknown[]>(action: (...args: A) => Promise<unknown>) => {
  const [isRunning, setRunning] = useState(false)
  const [error, setError] = useState<Error | null>(null)
  const running = useRef(false)
  const run = async (...args: A): Promise<void> => {
    if (running.current) return
    running.current = true
    setRunning(true)
    setError(null)
    try {
      await action(...args)
    } catch (failure) {
      setError(failure instanceof Error ? failure : new Error(String(failure)))
    } finally {
      running.current = false
      setRunning(false)
    }
  }
  return { run, isRunning, error, clear: () => setError(null) }
}
