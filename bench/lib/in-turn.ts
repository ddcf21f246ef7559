import type { OneByOneInput, OneByOneReport } from '../loads/one-by-one.ts'
import type { Context } from './case.ts'
import { startLoad } from './load.ts'

const TIMEOUT_SECONDS = 240

/** Kinds of requests, each many times and in turn, so that whatever slows the machine meets all. */
export const timeInTurn = async <Kind extends string>(
  { cores }: Context,
  token: string,
  kinds: Readonly<Record<Kind, readonly string[]>>,
): Promise<(kind: Kind) => readonly number[]> => {
  const names = Object.keys(kinds) as Kind[]
  const most = Math.max(...names.map((name) => kinds[name].length))
  const turns = Array.from({ length: most }, (_, index) =>
    names.flatMap((name) => {
      const url = kinds[name][index]
      return url === undefined ? [] : [{ name, url }]
    }),
  ).flat()
  const input: OneByOneInput = { token, urls: turns.map(({ url }) => url) }
  const options = { core: cores.load, seconds: TIMEOUT_SECONDS }
  const times = await startLoad<OneByOneReport>('one-by-one', input, options).report
  return (kind) => times.filter((_, index) => turns[index]?.name === kind)
}
