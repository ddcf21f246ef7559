import type { ReadsInput, ReadsReport } from '../loads/reads.ts'
import { type LoadProgram, startLoad } from './load.ts'

const READS_PER_SECOND = 500
const CONNECTIONS_COUNT = 16
const ROUND_SECONDS = 2

/** Reads of `GET /users/me` at a rate that leaves the server most of its time. */
export const readsOf = (
  url: string,
  token: string,
  options: { readonly core: number | null; readonly seconds: number },
): LoadProgram<ReadsReport> => {
  const input: ReadsInput = {
    url: `${url}/api/v1/users/me`,
    token,
    perSecond: READS_PER_SECOND,
    connections: CONNECTIONS_COUNT,
    seconds: options.seconds,
    round: ROUND_SECONDS,
  }
  return startLoad<ReadsReport>('reads', input, options)
}
