import { checkAlike, fetched, loggedBy } from '../lib/beside.ts'
import { type Case, skipped } from '../lib/case.ts'
import { startFloor } from '../lib/floor.ts'
import { DRAFT } from '../lib/items.ts'
import { comparePairs, pairFigures, ratioSpread, saturationNotes } from '../lib/rounds.ts'
import { missingServices, POOL_SIZE, startServices } from '../lib/services.ts'
import { signUp, startSkep } from '../lib/skep.ts'

/** One item on the shared stack, beside the same row read by a raw server from the same Postgres. */
export const postgresRead: Case = {
  name: 'postgres-read',
  about: 'GET /api/v1/items/{id} on Postgres and Redis, beside raw Bun.serve and Bun.SQL with the same statement',
  async run(context) {
    const missing = missingServices()
    if (missing !== null) return skipped(missing)
    const core = context.cores.server
    await using services = await startServices(context, context.cores.rest)
    await using skep = await startSkep(context.form, { folder: context.folder(), core, env: services.env })
    const { token } = await signUp(skep.url)
    const args = [services.databaseUrl, String(POOL_SIZE)]
    await using floor = await startFloor('postgres-read', { folder: context.folder(), core, args })

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
      figures: pairFigures(pairs, { 'requests/s': { of: 'ratio', atLeast: 0.5 } }),
      notes: saturationNotes(pairs),
      detail: { form: context.form.name, pool_size: POOL_SIZE, ratio: ratioSpread(pairs), rounds: pairs },
    }
  },
}
