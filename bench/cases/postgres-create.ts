import { checkAlike, fetched, loggedBy, withoutTimes } from '../lib/beside.ts'
import { type Case, skipped } from '../lib/case.ts'
import { startFloor } from '../lib/floor.ts'
import { DRAFT } from '../lib/items.ts'
import { comparePairs, pairFigures, ratioSpread, saturationNotes } from '../lib/rounds.ts'
import { missingServices, POOL_SIZE, startServices } from '../lib/services.ts'
import { signUp, startSkep } from '../lib/skep.ts'

const PATH = '/api/v1/items/'

/** An item and its entry in the log of changes in one serializable transaction, beside one INSERT by itself. */
export const postgresCreate: Case = {
  name: 'postgres-create',
  about: 'POST /api/v1/items/ on Postgres and Redis, beside raw Bun.serve and one INSERT by Bun.SQL, both durable',
  async run(context) {
    const missing = missingServices()
    if (missing !== null) return skipped(missing)
    const core = context.cores.server
    await using services = await startServices(context, context.cores.rest)
    const floorUrl = await services.createDatabase('floor')
    await using skep = await startSkep(context.form, { folder: context.folder(), core, env: services.env })
    const { id, token } = await signUp(skep.url)
    const args = [floorUrl, String(POOL_SIZE), String(id)]
    await using floor = await startFloor('postgres-create', { folder: context.folder(), core, args })

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
      figures: pairFigures(pairs, { 'requests/s': { of: 'ratio', atLeast: 0.5 } }),
      notes: saturationNotes(pairs),
      detail: { form: context.form.name, pool_size: POOL_SIZE, ratio: ratioSpread(pairs), rounds: pairs },
    }
  },
}
