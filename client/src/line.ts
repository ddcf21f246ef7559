import type { OpenSocket, Socket } from './platform.ts'

/** A network that is lost without a word shows only by silence. */
const PING_MS = 20_000

interface LineOptions {
  readonly url: string
  readonly WebSocket: OpenSocket
  readonly onFrame: (text: string) => void
  /** The socket has closed, with this code, or has been silent for too long. */
  readonly onLost: (code?: number) => void
}

/** One socket at a time, which is pinged. */
export const createLine = ({ url, WebSocket, onFrame, onLost }: LineOptions) => {
  let socket: Socket | null = null
  let pinging: ReturnType<typeof setInterval> | undefined
  let isHeard = false

  const send = (frame: object) => socket?.send(JSON.stringify(frame))

  return {
    isOpen: () => socket !== null,
    send,
    /** Opens a socket, on which `first` is sent before anything else. */
    open(first: object) {
      const opened = new WebSocket(url)
      socket = opened
      isHeard = false
      opened.onopen = () => send(first)
      opened.onmessage = ({ data }) => {
        isHeard = true
        onFrame(String(data))
      }
      opened.onclose = ({ code }) => onLost(code)
      opened.onerror = () => {}
      pinging = setInterval(() => {
        if (!isHeard) return onLost()
        isHeard = false
        send({ type: 'ping' })
      }, PING_MS)
    },
    close() {
      clearInterval(pinging)
      const mine = socket
      socket = null
      if (mine === null) return
      mine.onopen = mine.onmessage = mine.onclose = null
      // A socket that is closed before it is open may report an error.
      mine.onerror = () => {}
      mine.close()
    },
  }
}
