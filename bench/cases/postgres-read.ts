import { type Case, skipped } from '../lib/case.ts'
import { compare } from '../lib/compare.ts'
import { startFloor } from '../lib/floor.ts'
import { readingOfMany } from '../lib/items.ts'
import { missingServices, POOL_CONNECTIONS_COUNT, startServices } from '../lib/services.ts'
import { signUp, startSkep } from '../lib/skep.ts'

const ITEMS_COUNT = 100

/** Items on the shared stack, beside the same rows read by a raw server from the same Postgres. */
export const postgresRead: Case = {
  name: 'postgres-read',
  about: `GET /api/v1/items/{id}, ${ITEMS_COUNT} in turn, on Postgres and Redis, beside raw Bun.serve and Bun.SQL`,
  async run(context) {
    const missing = missingServices()
    if (missing !== null) return skipped(missing)
    const core = context.cores.server
    await using services = await startServices(context, context.cores.rest)
    await using skep = await startSkep(context.form, { folder: context.folder(), core, env: services.env })
    const { token } = await signUp(skep.url)
    const args = [services.databaseUrl, String(POOL_CONNECTIONS_COUNT)]
    await using floor = await startFloor('postgres-read', { folder: context.folder(), core, args })
    const detail = { pool_size: POOL_CONNECTIONS_COUNT }
    return await compare(
      context,
      { skep, floor, atLeast: 0.5, detail },
      await readingOfMany(skep.url, token, ITEMS_COUNT),
    )
  },
}
