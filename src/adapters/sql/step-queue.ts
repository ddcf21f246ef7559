/** Runs one step of a long read, when it is the turn of its account. Those of reads that have had many steps come later. */
export type RunStep = <T>(account: number | null, step: () => T | Promise<T>, isLong?: boolean) => Promise<T>

/** Inside a transaction, nothing else may be awaited. */
export const runAtOnce: RunStep = async (_, step) => step()

interface Options {
  /** How many steps run at a time. */
  readonly limit: number
}

const yieldToEventLoop = () => new Promise<void>((resolve) => setImmediate(resolve))

type Step = () => Promise<void>

/** Steps by account, with accounts in turn. */
const createTurns = () => {
  const waiting = new Map<number | null, Step[]>()
  return {
    add(account: number | null, step: Step): void {
      const steps = waiting.get(account) ?? []
      waiting.set(account, steps)
      steps.push(step)
    },
    next(): Step | null {
      const [first] = waiting
      if (first === undefined) return null
      const [account, steps] = first
      const step = steps.shift() ?? null
      // Queued behind all other waiting accounts.
      waiting.delete(account)
      if (steps.length > 0) waiting.set(account, steps)
      return step
    },
  }
}

/** While others wait, every nth step is one of a long read. */
const LONG_TURN = 4

/**
 * How long steps may follow each other before the event loop serves other work; what callers do with their results counts.
 * Serving other work after each step would double the cost of short ones.
 */
const MAX_TURN_MS = 1

/** Measures the time since the first step of the present turn of the event loop. */
const createTurnTime = () => {
  let beganAt: number | null = null
  const end = () => {
    beganAt = null
  }
  return {
    isUp(): boolean {
      const now = performance.now()
      if (beganAt !== null) return now - beganAt >= MAX_TURN_MS
      beganAt = now
      setImmediate(end)
      return false
    },
  }
}

/**
 * Runs steps of long reads one after the other, with accounts in turn, and lets the event loop serve other work between
 * them: however many searches one account starts, others wait for at most one of its steps. Reads that have not had many
 * steps come first, but do not stop the others.
 */
export const createStepQueue = ({ limit }: Options): RunStep => {
  const short = createTurns()
  const long = createTurns()
  const time = createTurnTime()
  let running = 0
  let turn = 0

  const next = (): Step | null => {
    turn = (turn + 1) % LONG_TURN
    return turn === 0 ? (long.next() ?? short.next()) : (short.next() ?? long.next())
  }

  const work = async (): Promise<void> => {
    running++
    try {
      for (;;) {
        if (time.isUp()) await yieldToEventLoop()
        const step = next()
        if (step === null) return
        await step()
      }
    } finally {
      running--
    }
  }

  return <T>(account: number | null, step: () => T | Promise<T>, isLong = false) =>
    new Promise<T>((resolve, reject) => {
      const turns = isLong ? long : short
      turns.add(account, async () => {
        try {
          resolve(await step())
        } catch (error) {
          reject(error)
        }
      })
      if (running < limit) void work()
    })
}
