import type { Client, ClientOptions, Live, SkepStorage } from '../../client/src/index.ts'
import { createClient, memoryStorage, SkepError } from '../../client/src/index.ts'
import type { Collections } from './collections.ts'

/** Where the suite runs, which is any platform: nothing here may need more than the client does. */
export interface Place {
  readonly url: string
  readonly WebSocket?: ClientOptions['WebSocket']
}

type Skep = Client<Collections>

export const check = (condition: boolean, message: string): void => {
  if (!condition) throw new Error(message)
}

export const equal = (actual: unknown, expected: unknown): void => {
  const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (one !== other) throw new Error(`got ${one}, expected ${other}`)
}

/** What a call is refused with. */
export const refusal = async (work: Promise<unknown>): Promise<SkepError> => {
  try {
    await work
  } catch (error) {
    if (error instanceof SkepError) return error
    throw error
  }
  throw new Error('it was not refused')
}

const DEADLINE_MS = 10_000

/** Resolves once the list holds what is expected. */
export const until = <T>(live: Live<T>, holds: (records: readonly T[]) => boolean): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop()
      reject(new Error(`${live.status}: ${JSON.stringify(live.getSnapshot())}`))
    }, DEADLINE_MS)
    let stop = () => {}
    stop = live.subscribe((records) => {
      if (!holds(records)) return
      clearTimeout(timer)
      queueMicrotask(() => stop())
      resolve()
    })
  })

let people = 0

/** A client of somebody new who is signed in. */
export const person = async (place: Place, storage: SkepStorage = memoryStorage()) => {
  const client: Skep = createClient<Collections>({ ...place, storage, maxReconnectDelayMs: 200 })
  const name = `p${++people}-${Math.random().toString(36).slice(2)}`
  const account = { email: `${name}@example.com`, name, password: 'correct horse' }
  const { id } = await client.auth.signUp(account)
  await client.auth.signIn(account)
  return { id, client, account, tasks: client.collection('tasks'), lists: client.collection('lists') }
}

/** The tests of a part of the suite, by their titles. */
export type Tests = Readonly<Record<string, (place: Place) => Promise<void>>>
