/** So many different words, each of which {@link wordOf} makes of its number. */
export const VOCABULARY_COUNT = 1_000

const SYLLABLES = ['ba', 'de', 'fi', 'go', 'hu', 'ka', 'le', 'mi', 'no', 'ru'] as const
const syllable = (digit: number) => SYLLABLES[digit % SYLLABLES.length] ?? ''

/** All of one length, so that none is the beginning of another. */
export const wordOf = (index: number) =>
  syllable(Math.floor(index / 100)) + syllable(Math.floor(index / 10)) + syllable(index)

/** Integers from 0 that look like chance and are the same in every run (Lehmer's, as `minstd_rand`). */
export const createChance = (seed: number) => {
  let state = seed
  return (below: number) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}
