import { useEffect, useRef, useState } from 'preact/hooks'
import { client } from './api.ts'

/** Many changes at once cause one reload. */
const COALESCE_MS = 300

/** Calls `onChange` after something of a topic has changed. Returns whether changes are being received. */
export const useLive = (topic: string, onChange: () => void): boolean => {
  const [isLive, setLive] = useState(false)
  const latest = useRef(onChange)
  latest.current = onChange
  useEffect(() => {
    let due: ReturnType<typeof setTimeout> | undefined
    const changed = () => {
      due ??= setTimeout(() => {
        due = undefined
        latest.current()
      }, COALESCE_MS)
    }
    let wasDown = false
    const stop = client.subscribe(topic, {
      onEvent: changed,
      onGap: changed,
      onSubscribed: () => {
        setLive(true)
        // What failed meanwhile succeeds now.
        if (wasDown) changed()
        wasDown = false
      },
      onDown: () => {
        setLive(false)
        wasDown = true
      },
      onError: () => setLive(false),
    })
    return () => {
      clearTimeout(due)
      stop()
    }
  }, [topic])
  return isLive
}
