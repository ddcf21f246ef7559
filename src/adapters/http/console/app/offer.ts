import type { Choices } from './types.ts'

/** Beyond this, more of the name finds it sooner than scrolling. */
const MAX_OFFERED_COUNT = 1_000

export const NOTHING_OFFERED: Choices = { choices: [], next: null }

interface Options {
  /** Searches after where the search has ended, or from its beginning. */
  readonly search: (after: string | null, isWanted: () => boolean) => Promise<Choices>
  /** Called with all that is found so far; `next` is null if no more is to be read. */
  readonly onChange: (found: Choices) => void
}

/**
 * What one search finds, and more of it on demand. Another text has another offer, so a search never continues where a
 * different one has ended.
 */
export const createOffer = ({ search, onChange }: Options) => {
  let found = NOTHING_OFFERED
  let isReading = false
  let isOver = false

  const read = async (after: string | null): Promise<void> => {
    if (isReading || isOver) return
    isReading = true
    const { choices, next } = await search(after, () => !isOver).catch(() => NOTHING_OFFERED)
    isReading = false
    if (isOver) return
    const all = [...found.choices, ...choices]
    found = { choices: all, next: all.length < MAX_OFFERED_COUNT ? next : null }
    onChange(found)
  }

  return {
    begin: () => read(null),
    readMore: async () => {
      if (found.next !== null) await read(found.next)
    },
    /** What it finds is no longer wanted. */
    stop(): void {
      isOver = true
    },
  }
}

export type Offer = ReturnType<typeof createOffer>
