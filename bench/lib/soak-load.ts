import { type Actor, act, createActor } from '../../tests/support/load/actor.ts'
import type { LoadProfile } from '../../tests/support/load/attempt.ts'
import { createRandom } from '../../tests/support/load/random.ts'
import { type Subscriber, subscribe } from '../../tests/support/load/subscriber.ts'

export interface Counts {
  answered: number
  refused: number
  errors: number
  events: number
  /** Due, and not begun because every actor was busy. */
  late: number
}

export interface SoakLoad {
  readonly counts: Counts
  /** Why the first of the errors came. */
  readonly reasons: readonly string[]
  stop(): Promise<void>
}

interface Options {
  readonly url: string
  /** Attempts a second. */
  readonly rate: number
  readonly actors: number
  readonly subscribers: number
  readonly seed: number
}

/** Of so many items and files each actor keeps, so that what the server holds does not grow. */
const LOAD_PROFILE: LoadProfile = { items: 30, files: 6, churn: 0.2, fileSize: 200_000 }
const TICK_MS = 5
const MAX_REASONS_COUNT = 20
const RETRY_MS = 200

/** What a soak need not remember, and could not for hours. */
const forget = ({ world, ended, deadLinks, deadFiles }: Actor): void => {
  for (const list of [world.log, ended, deadLinks, deadFiles]) list.length = 0
}

/** Mixed load at a steady rate, from actors whose data stays about the same in size. */
export const startSoakLoad = ({ url, rate, actors, subscribers, seed }: Options): SoakLoad => {
  const random = createRandom(seed)
  const counts: Counts = { answered: 0, refused: 0, errors: 0, events: 0, late: 0 }
  const reasons: string[] = []
  const complain = (what: string) => {
    counts.errors++
    if (reasons.length < MAX_REASONS_COUNT) reasons.push(what)
  }
  let born = 0
  const newActor = () => createActor(`s${++born}x`, random.fork())
  const slots = Array.from({ length: actors }, newActor)
  const idle = slots.map((_, index) => index)
  const running = new Set<Promise<void>>()
  const sockets = new Set<Subscriber>()
  let stopped = false

  const step = async (index: number) => {
    for (const actor of slots.slice(index, index + 1)) {
      try {
        const { refused } = await act(actor, { url, profile: LOAD_PROFILE, complain })
        if (refused) counts.refused++
        else counts.answered++
      } catch (error) {
        // Whether it was done is not known, so neither is this one's world.
        complain(`${actor.pending?.attempt.kind}: ${error}`)
        slots[index] = newActor()
      }
      forget(actor)
      if (actor.gone) slots[index] = newActor()
    }
    idle.push(index)
  }

  const follow = async (index: number) => {
    let cursor: string | null = null
    while (!stopped) {
      const token = slots[index]?.session?.accessToken
      try {
        if (token !== undefined) {
          const onEvent = (event: { readonly cursor: string }) => {
            counts.events++
            cursor = event.cursor
          }
          // What is old was cleaned away: a gap is no error here.
          const socket = await subscribe({ url, token, topic: 'items', after: cursor, onEvent, complain: () => {} })
          sockets.add(socket)
          if (stopped) socket.close()
          await socket.closed
          sockets.delete(socket)
        }
      } catch {
        // The session ended between the two.
      }
      await Bun.sleep(RETRY_MS)
    }
  }

  const pace = async () => {
    const start = performance.now()
    let begun = 0
    while (!stopped) {
      for (const due = ((performance.now() - start) / 1_000) * rate; begun < due; begun++) {
        const index = idle.shift()
        if (index === undefined) counts.late++
        else {
          const work = step(index).finally(() => running.delete(work))
          running.add(work)
        }
      }
      await Bun.sleep(TICK_MS)
    }
  }

  const paced = pace()
  const following = Array.from({ length: subscribers }, (_, index) => follow(index))
  return {
    counts,
    reasons,
    async stop() {
      stopped = true
      for (const socket of sockets) socket.close()
      await Promise.all([paced, ...running, ...following])
    },
  }
}
