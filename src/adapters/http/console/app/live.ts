import { useEffect, useRef, useState } from 'preact/hooks'
import { accessToken } from './api.ts'
import { SITE } from './site.ts'

const RETRY_MS = 2_000
/** Many changes at once cause one reload. */
const COALESCE_MS = 300

const MAX_ATTEMPTS_DELAY_MS = 30_000

/** Calls `onChange` after records of a topic have changed. Returns whether changes are being received. */
export const useLive = (topic: string, onChange: () => void): boolean => {
  const [isLive, setLive] = useState(false)
  const latest = useRef(onChange)
  latest.current = onChange
  useEffect(() => {
    let isOver = false
    let socket: WebSocket | null = null
    let retry: ReturnType<typeof setTimeout> | undefined
    let due: ReturnType<typeof setTimeout> | undefined
    let failures = 0
    const changed = () => {
      due ??= setTimeout(() => {
        due = undefined
        latest.current()
      }, COALESCE_MS)
    }
    const connect = () => {
      const url = new URL(`${SITE.base}/api/v1/ws/console-${crypto.randomUUID()}`, location.href)
      url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
      const opened = new WebSocket(url)
      socket = opened
      opened.onopen = () => opened.send(JSON.stringify({ type: 'auth', token: accessToken() }))
      opened.onmessage = ({ data }) => {
        const frame = JSON.parse(String(data))
        if (frame.type === 'ready') opened.send(JSON.stringify({ type: 'subscribe', topic }))
        if (frame.type === 'subscribed') {
          // What happened while there was no connection.
          if (failures > 0) changed()
          failures = 0
          setLive(true)
        }
        if (frame.type === 'event') changed()
      }
      opened.onclose = () => {
        setLive(false)
        if (isOver) return
        failures++
        retry = setTimeout(connect, Math.min(RETRY_MS * failures, MAX_ATTEMPTS_DELAY_MS))
      }
    }
    connect()
    return () => {
      isOver = true
      clearTimeout(retry)
      clearTimeout(due)
      socket?.close()
    }
  }, [topic])
  return isLive
}
