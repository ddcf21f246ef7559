import { median } from '../lib/statistics.ts'

/** What was measured of every peer, round by round. */
export interface Figure {
  readonly case: string
  readonly name: string
  readonly unit: string
  readonly better: 'more' | 'less'
  /** The median of the rounds, by peer. */
  readonly values: Readonly<Record<string, number>>
  /**
   * How far Skep is ahead of each peer: the median of the ratios within a round. Above 1 Skep is better, whether more or
   * less is.
   */
  readonly ahead: Readonly<Record<string, number>>
}

type Kind = Pick<Figure, 'case' | 'name' | 'unit' | 'better'>

/** The one that all others are compared with. */
export const SUBJECT = 'Skep'

/** A raw server with the duties of a case and nothing else, which takes part as if it were a peer. */
export const FLOOR = 'floor'

/** Collects samples. A peer without a sample in a figure does not have it. */
export const createSamples = () => {
  const kinds: Kind[] = []
  const samples = new Map<string, Map<string, number[]>>()
  const keyOf = ({ case: of, name }: Pick<Kind, 'case' | 'name'>) => `${of}\n${name}`

  return {
    add(kind: Kind, peer: string, value: number): void {
      const key = keyOf(kind)
      let byPeer = samples.get(key)
      if (byPeer === undefined) {
        kinds.push(kind)
        byPeer = new Map()
        samples.set(key, byPeer)
      }
      byPeer.set(peer, [...(byPeer.get(peer) ?? []), value])
    },
    figures: (): Figure[] =>
      kinds.map((kind) => {
        const byPeer = [...(samples.get(keyOf(kind)) ?? [])]
        const own = samples.get(keyOf(kind))?.get(SUBJECT) ?? []
        const ratio = (values: readonly number[]) => {
          const ratios = values.slice(0, own.length).map((value, round) => (own[round] ?? Number.NaN) / value)
          return median(kind.better === 'more' ? ratios : ratios.map((each) => 1 / each))
        }
        const compared = own.length === 0 ? [] : byPeer.filter(([peer]) => peer !== SUBJECT)
        return {
          ...kind,
          values: Object.fromEntries(byPeer.map(([peer, values]) => [peer, median(values)])),
          ahead: Object.fromEntries(compared.map(([peer, values]) => [peer, ratio(values)])),
        }
      }),
    rounds: () =>
      Object.fromEntries([...samples].map(([key, byPeer]) => [key.replace('\n', ': '), Object.fromEntries(byPeer)])),
  }
}

export type Samples = ReturnType<typeof createSamples>
