import { checkAlike, fetched, loggedBy } from '../lib/beside.ts'
import type { Case } from '../lib/case.ts'
import { startFloor } from '../lib/floor.ts'
import { DRAFT } from '../lib/items.ts'
import { comparePairs, pairFigures, ratioSpread, saturationNotes } from '../lib/rounds.ts'
import { databaseOf, signUp, startSkep } from '../lib/skep.ts'

/** One item, with its owner checked and its ETag, beside the same row read by a raw server. */
export const readItem: Case = {
  name: 'read-item',
  about: 'GET /api/v1/items/{id} with a token, beside raw Bun.serve and the same statement',
  async run(context) {
    const core = context.cores.server
    const folder = context.folder()
    await using skep = await startSkep(context.form, { folder, core })
    const { token } = await signUp(skep.url)
    const args = [databaseOf(folder)]
    await using floor = await startFloor('read-item', { folder: context.folder(), core, args })

    const headers = { authorization: `Bearer ${token}` }
    const created = await fetched(`${skep.url}/api/v1/items/`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: DRAFT,
      status: 201,
    })
    const path = created.headers.get('location')
    checkAlike(await fetched(skep.url + path, { headers }), await fetched(floor.url + path, { headers }))
    const pairs = await comparePairs(context, {
      skep: { pid: skep.pid, url: skep.url + path, headers, check: loggedBy(skep) },
      floor: { pid: floor.pid, url: floor.url + path, headers },
    })
    return {
      figures: pairFigures(pairs, { 'requests/s': { of: 'ratio', atLeast: 0.6 } }),
      notes: saturationNotes(pairs),
      detail: { form: context.form.name, ratio: ratioSpread(pairs), rounds: pairs },
    }
  },
}
