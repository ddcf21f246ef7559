import { type Answer, checkAlike, fetched, loggedBy } from './beside.ts'
import type { CaseResult, Context } from './case.ts'
import { comparePairs, pairFigures, ratioSpread, saturationNotes } from './rounds.ts'
import type { Server } from './server.ts'

/** What is sent to both servers. */
export interface Asked {
  readonly path: string
  /** Asked for in turn, when it is not always the same. */
  readonly paths?: readonly string[]
  readonly method?: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** 200 when absent. */
  readonly status?: number
  /** Takes out of a body what differs from one answer to the next. */
  readonly normalize?: (body: string) => string
}

interface Compared {
  readonly skep: Server
  readonly floor: Server
  /** Of Skep's requests/s to the floor's. */
  readonly atLeast: number
  /** For the JSON. */
  readonly detail?: Readonly<Record<string, unknown>>
}

/** Loads both with the same request, after one that shows that they answer alike. */
export const compare = async (
  context: Context,
  { skep, floor, atLeast, detail }: Compared,
  { path, paths = [], status, normalize, ...request }: Asked,
): Promise<CaseResult> => {
  const ask = ({ url }: Server): Promise<Answer> => fetched(url + path, { ...request, ...(status && { status }) })
  checkAlike(await ask(skep), await ask(floor), normalize)
  const pairs = await comparePairs(context, {
    skep: { pid: skep.pid, url: skep.url + path, paths, ...request, check: loggedBy(skep) },
    floor: { pid: floor.pid, url: floor.url + path, paths, ...request },
  })
  return {
    figures: pairFigures(pairs, { 'requests/s': { of: 'ratio', atLeast } }),
    notes: saturationNotes(pairs),
    detail: { form: context.form.name, ...detail, ratio: ratioSpread(pairs), rounds: pairs },
  }
}
