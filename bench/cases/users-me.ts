import type { Case } from '../lib/case.ts'
import { startFloor } from '../lib/floor.ts'
import { comparePairs, pairFigures, ratioSpread, saturationNotes } from '../lib/rounds.ts'
import { databaseOf, signUp, startSkep } from '../lib/skep.ts'
import type { LoadResult } from '../lib/wrk.ts'

const PATH = '/api/v1/users/me'
const LEAST_LOG_BYTES = 60
const EXPECTED_HEADERS = ['x-request-id', 'ratelimit-remaining']

const fetched = async (url: string, headers: Readonly<Record<string, string>>) => {
  const response = await fetch(url, { headers })
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return { body: await response.text(), headers: response.headers }
}

/** An authenticated read with limits, request id and log, beside the same row read by a raw server. */
export const usersMe: Case = {
  name: 'users-me',
  about: 'GET /api/v1/users/me with a token, beside raw Bun.serve and the same statement',
  async run(context) {
    const core = context.cores.server
    const folder = context.folder()
    await using skep = await startSkep(context.form, { folder, core })
    const { id, token } = await signUp(skep.url)
    const args = [databaseOf(folder), String(id)]
    await using floor = await startFloor('users-me', { folder: context.folder(), core, args })

    const headers = { authorization: `Bearer ${token}` }
    const own = await fetched(skep.url + PATH, headers)
    const raw = await fetched(floor.url + PATH, headers)
    if (own.body !== raw.body) throw new Error(`the floor answers something else: ${raw.body} against ${own.body}`)
    const missing = EXPECTED_HEADERS.filter((name) => !own.headers.has(name))
    if (missing.length > 0) throw new Error(`without ${missing.join(', ')} this is another measurement`)

    const isLogged = ({ requests }: LoadResult) => {
      if (skep.takeLog() < requests * LEAST_LOG_BYTES) throw new Error('requests were answered and not logged')
    }
    const pairs = await comparePairs(context, {
      skep: { pid: skep.pid, url: skep.url + PATH, headers, check: isLogged },
      floor: { pid: floor.pid, url: floor.url + PATH, headers },
    })
    return {
      figures: pairFigures(pairs, { 'requests/s': { of: 'ratio', atLeast: 0.6 } }),
      notes: saturationNotes(pairs),
      detail: { form: context.form.name, ratio: ratioSpread(pairs), rounds: pairs },
    }
  },
}
