import { mergeNamed, type ThreadSamples } from './samples.ts'

const NOTHING: ThreadSamples = { done: {}, seen: {}, present: {} }

/** Adds up what the threads of one process have counted. What a thread has counted still counts after its end. */
export const createThreadTotals = () => {
  const latest = new Map<symbol, ThreadSamples>()
  let ended = NOTHING

  const all = (): readonly ThreadSamples[] => [ended, ...latest.values()]
  const doneByAll = () =>
    mergeNamed(
      all().map(({ done }) => done),
      'sum',
    )
  const seenByAny = () =>
    mergeNamed(
      all().map(({ seen }) => seen),
      'max',
    )

  return {
    /** A thread has begun. */
    join() {
      const thread = Symbol()
      // It sees only what comes after its beginning.
      const before = seenByAny()
      latest.set(thread, NOTHING)
      return {
        /** This is what it has counted up to now. */
        note(samples: ThreadSamples): void {
          if (!latest.has(thread)) return
          latest.set(thread, { ...samples, seen: mergeNamed([before, samples.seen], 'sum') })
        },
        /** It has ended. */
        end(): void {
          const { done, seen } = latest.get(thread) ?? NOTHING
          latest.delete(thread)
          ended = {
            done: mergeNamed([ended.done, done], 'sum'),
            seen: mergeNamed([ended.seen, seen], 'max'),
            present: {},
          }
        },
      }
    },
    /** Of all threads, as of the latest notes. */
    current: () => ({
      ...doneByAll(),
      ...seenByAny(),
      ...mergeNamed(
        all().map(({ present }) => present),
        'sum',
      ),
    }),
  }
}

export type ThreadTotals = ReturnType<typeof createThreadTotals>
