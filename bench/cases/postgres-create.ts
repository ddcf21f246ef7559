import { type Case, skipped } from '../lib/case.ts'
import { compare } from '../lib/compare.ts'
import { startFloor } from '../lib/floor.ts'
import { creation } from '../lib/items.ts'
import { missingServices, POOL_CONNECTIONS_COUNT, startServices } from '../lib/services.ts'
import { signUp, startSkep } from '../lib/skep.ts'

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
    const args = [floorUrl, String(POOL_CONNECTIONS_COUNT), String(id)]
    await using floor = await startFloor('postgres-create', { folder: context.folder(), core, args })
    const detail = { pool_size: POOL_CONNECTIONS_COUNT }
    return await compare(context, { skep, floor, atLeast: 0.5, detail }, creation(token))
  },
}
