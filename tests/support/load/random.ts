/** Numbers that look random and come again with the same seed. */
export interface Random {
  /** 0 to 1, without 1. */
  next(): number
  /** Both ends included. */
  integer(from: number, to: number): number
  chance(probability: number): boolean
  /** Throws of an empty list. */
  pick<T>(list: readonly T[]): T
  /** One name, each as likely as its weight by the sum of all. Throws when all are 0. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T
  /** A source of its own, so that two who draw at the same time do not disturb each other. */
  fork(): Random
}

/** Mulberry32. */
export const createRandom = (seed: number): Random => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const integer = (from: number, to: number) => from + Math.floor(next() * (to - from + 1))
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick(list) {
      const index = integer(0, list.length - 1)
      for (const picked of list.slice(index, index + 1)) return picked
      throw new Error('nothing to pick from')
    },
    weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
      const entries = Object.entries<number>(weights)
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const name in weights) {
        left -= weights[name]
        if (left < 0) return name
      }
      throw new Error('nothing has a weight')
    },
    fork: () => createRandom(Math.floor(next() * 4_294_967_296)),
  }
}
