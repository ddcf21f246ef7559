import { checkAlike, fetched, loggedBy, withoutTimes } from '../lib/beside.ts'
import type { Case } from '../lib/case.ts'
import { startFloor } from '../lib/floor.ts'
import { DRAFT } from '../lib/items.ts'
import { comparePairs, pairFigures, ratioSpread, saturationNotes } from '../lib/rounds.ts'
import { databaseOf, signUp, startSkep } from '../lib/skep.ts'

const PATH = '/api/v1/items/'

/**
 * An item on the disk before it is answered, and in the text index; beside a raw server whose commits wait for no disk,
 * with the same table and its indexes, and no text index.
 */
export const createItem: Case = {
  name: 'create-item',
  about: 'POST /api/v1/items/ with a token, each durable, beside raw Bun.serve at synchronous=NORMAL',
  async run(context) {
    const core = context.cores.server
    const folder = context.folder()
    const floorFolder = context.folder()
    // Makes the floor's tables.
    const other = await startSkep(context.form, { folder: floorFolder, core })
    await other.stop()
    await using skep = await startSkep(context.form, { folder, core })
    const { id, token } = await signUp(skep.url)
    const args = [databaseOf(floorFolder), String(id)]
    await using floor = await startFloor('create-item', { folder: context.folder(), core, args })

    const request = {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: DRAFT,
    }
    const own = await fetched(skep.url + PATH, { ...request, status: 201 })
    const raw = await fetched(floor.url + PATH, { ...request, status: 201 })
    checkAlike(own, raw, withoutTimes)
    const pairs = await comparePairs(context, {
      skep: { pid: skep.pid, url: skep.url + PATH, ...request, check: loggedBy(skep) },
      floor: { pid: floor.pid, url: floor.url + PATH, ...request },
    })
    return {
      figures: pairFigures(pairs, { 'requests/s': { of: 'ratio', atLeast: 1 } }),
      notes: saturationNotes(pairs),
      detail: { form: context.form.name, ratio: ratioSpread(pairs), rounds: pairs },
    }
  },
}
