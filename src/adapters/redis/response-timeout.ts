/** Time limit of a response. */
export const RESPONSE_TIMEOUT_MS = 400
/** Lets the process read responses that arrived while it was busy before they count as late. */
const GRACE_MS = 20

const noAnswer = (milliseconds: number) => new Error(`no answer within ${milliseconds} ms`)

/** Rejects when `promise` has not settled in time. */
export const withTimeout = <T>(promise: Promise<T>, milliseconds = RESPONSE_TIMEOUT_MS): Promise<T> =>
  new Promise((resolve, reject) => {
    let timer = setTimeout(() => {
      timer = setTimeout(() => reject(noAnswer(milliseconds)), GRACE_MS)
    }, milliseconds)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })

/** Times many responses with one timer. */
export interface ResponseTimeouts {
  /** Settles as `answer` does, and rejects if the session ends first. */
  waitFor<T>(answer: Promise<T>): Promise<T>
  /** Rejects all pending responses. */
  end(reason: Error): void
}

interface Waiting {
  readonly since: number
  readonly reject: (reason: Error) => void
}

/** `onLate` is called when a response takes longer than {@link RESPONSE_TIMEOUT_MS}. */
export const createResponseTimeouts = (onLate: (reason: Error) => void): ResponseTimeouts => {
  /** In the order of the requests. */
  const waiting = new Set<Waiting>()
  let timer: ReturnType<typeof setTimeout> | null = null

  const onTimeout = (oldest: Waiting): void => {
    timer = null
    if (waiting.has(oldest)) onLate(noAnswer(RESPONSE_TIMEOUT_MS))
    else schedule()
  }

  const schedule = (): void => {
    timer = null
    const [oldest] = waiting
    if (oldest === undefined) return
    const left = oldest.since + RESPONSE_TIMEOUT_MS - performance.now()
    timer = left > 0 ? setTimeout(schedule, left) : setTimeout(onTimeout, GRACE_MS, oldest)
  }

  return {
    waitFor: (answer) =>
      new Promise((resolve, reject) => {
        const asked = { since: performance.now(), reject }
        waiting.add(asked)
        if (timer === null) schedule()
        answer.then(
          (value) => {
            waiting.delete(asked)
            resolve(value)
          },
          (error: unknown) => {
            waiting.delete(asked)
            reject(error)
          },
        )
      }),
    end(reason) {
      if (timer !== null) clearTimeout(timer)
      timer = null
      for (const { reject } of waiting) reject(reason)
      waiting.clear()
    },
  }
}
