/** Runs one step of a long read, when it is the turn of its account. */
export type RunStep = <T>(account: number | null, step: () => T | Promise<T>) => Promise<T>

/** For reads inside a transaction, which must not wait for anything else. */
export const runAtOnce: RunStep = async (_, step) => step()

interface Options {
  /** How many steps run at a time. */
  readonly limit: number
}

const yieldToEventLoop = () => new Promise<void>((resolve) => setImmediate(resolve))

/**
 * Takes steps of long reads one after the other, accounts in turn, and lets the event loop do everything else that is
 * due between two of them: however many searches one account starts, others wait for a step of it at most.
 */
export const createStepQueue = ({ limit }: Options): RunStep => {
  const waiting = new Map<number | null, (() => Promise<void>)[]>()
  let running = 0

  const next = (): (() => Promise<void>) | null => {
    const [first] = waiting
    if (first === undefined) return null
    const [account, steps] = first
    const step = steps.shift() ?? null
    // Behind all other accounts that wait.
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
