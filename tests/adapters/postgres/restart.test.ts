import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { migrate } from '../../../src/adapters/postgres/migrate.ts'
import { missing } from '../../support/postgres.ts'
import { type Server, serve } from '../../support/process.ts'
import { startPostgres } from '../../support/services.ts'
import { temporaryFolder } from '../../support/skep.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(60_000)

const PERSON = { email: 'ann@example.com', name: 'Ann', password: 'correct horse battery' }

/** A process of its own: that of the tests starts and stops the database. */
const prepare = async () => {
  let skep: Server | null = null
  // Registered first, so that nobody is connected when the database goes.
  afterAll(() => skep?.[Symbol.asyncDispose]())
  const server = await startPostgres()
  await migrate(server.url)
  const env = { DATABASE_URL: server.url, JWT_SECRET: 's'.repeat(32), DATABASE_POOL_SIZE: '5' }
  skep = await serve({ cwd: temporaryFolder(), env })
  await skep.call('POST', '/users/', { json: PERSON })
  const form = { username: PERSON.email, password: PERSON.password }
  const { body } = await skep.call<{ access_token: string }>('POST', '/auth/token', { form })
  return { server, skep, token: body.access_token }
}
const prepared = missing ? null : await prepare()
const running = () => {
  if (prepared === null) throw new Error('there is no server')
  return prepared
}

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  test('refuses requests under load while Postgres is away, none afterwards, and loses nothing that got 201', async () => {
    const { server, skep, token } = running()
    const statuses = new Map<number, number>()
    const refusalsCount = () => statuses.get(503) ?? 0
    const isReady = async () => (await skep.call('GET', '//health/ready')).status === 200
    const created: number[] = []
    const done = Array.from({ length: 8 }, () => 0)
    let working = true
    const client = async (n: number) => {
      for (let turn = 0; working; turn++) {
        const reads = (n + turn) % 2 === 0
        const { status, body } = reads
          ? await skep.call('GET', '/items/?size=1', { token })
          : await skep.call('POST', '/items/', { token, json: { title: `${n}-${turn}` } })
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status === 201) created.push(Number(body.id))
        if (status === 503) await until(isReady)
        else done[n] = (done[n] ?? 0) + 1
      }
    }
    const clients = Promise.all(done.map((_, n) => client(n)))
    /** Until every client has ended so many more requests that were not refused. */
    const enough = (count: number) => {
      const before = [...done]
      return until(() => done.every((ended, n) => ended >= (before[n] ?? 0) + count))
    }
    await enough(20)
    expect(refusalsCount()).toBe(0)
    await server.pause()
    await until(() => refusalsCount() > 0)
    await server.resume()
    // None of them still waits for a response from before.
    await enough(2)
    const refused = refusalsCount()
    await enough(20)
    expect(refusalsCount()).toBe(refused)
    working = false
    await clients
    expect([...statuses.keys()].filter((status) => ![200, 201, 503].includes(status))).toEqual([])
    for (const id of created) {
      expect((await skep.call('GET', `/items/${id}`, { token })).status).toBe(200)
    }
    expect(await isReady()).toBe(true)
  })

  test('after a restart without requests, the first requests succeed', async () => {
    const { server, skep, token } = running()
    await server.restart()
    expect((await skep.call('GET', '/items/', { token })).status).toBe(200)
    expect((await skep.call('POST', '/items/', { token, json: { title: 'x' } })).status).toBe(201)
  })
})
