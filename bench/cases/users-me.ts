import { checkAlike, fetched, loggedBy } from '../lib/beside.ts'
import type { Case } from '../lib/case.ts'
import { startFloor } from '../lib/floor.ts'
import { comparePairs, pairFigures, ratioSpread, saturationNotes } from '../lib/rounds.ts'
import { databaseOf, signUp, startSkep } from '../lib/skep.ts'

const PATH = '/api/v1/users/me'

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
    checkAlike(await fetched(skep.url + PATH, { headers }), await fetched(floor.url + PATH, { headers }))
    const pairs = await comparePairs(context, {
      skep: { pid: skep.pid, url: skep.url + PATH, headers, check: loggedBy(skep) },
      floor: { pid: floor.pid, url: floor.url + PATH, headers },
    })
    return {
      figures: pairFigures(pairs, { 'requests/s': { of: 'ratio', atLeast: 0.75 } }),
      notes: saturationNotes(pairs),
      detail: { form: context.form.name, ratio: ratioSpread(pairs), rounds: pairs },
    }
  },
}
