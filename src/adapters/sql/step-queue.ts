/** Runs one step of a long read, when it is the turn of its account. */
export type RunStep = <T>(account: number | null, step: () => T | Promise<T>) => Promise<T>

/** Inside a transaction, nothing else may be awaited. */
export const runAtOnce: RunStep = async (_, step) => step()

interface Options {
  /** How many steps run at a time. */
  readonly limit: number
}

const yieldToEventLoop = () => new Promise<void>((resolve) => setImmediate(resolve))

/**
 * Runs steps of long reads one after the other, with accounts in turn, and lets the event loop serve other work between
 * them: however many searches one account starts, others wait for at most one of its steps.
 */
export const createStepQueue = ({ limit }: Options): RunStep => {
  const waiting = new Map<number | null, (() => Promise<void>)[]>()
  let running = 0

  const next = (): (() => Promise<void>) | null => {
    const [first] = waiting
    if (first === undefined) return null
    const [account, steps] = first
    const step = steps.shift() ?? null
    // Queued behind all other waiting accounts.
    waiting.delete(account)
    if (steps.length > 0) waiting.set(account, steps)
    return step
  }

  const work = async (): Promise<void> => {
    running++
    try {
      await yieldToEventLoop()
      for (let step = next(); step !== null; step = next()) {
        await step()
        await yieldToEventLoop()
      }
    } finally {
      running--
    }
  }

  return <T>(account: number | null, step: () => T | Promise<T>) =>
    new Promise<T>((resolve, reject) => {
      const steps = waiting.get(account) ?? []
      waiting.set(account, steps)
      steps.push(async () => {
        try {
          resolve(await step())
        } catch (error) {
          reject(error)
        }
      })
      if (running < limit) void work()
    })
}
