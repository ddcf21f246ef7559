import { expect, test } from 'bun:test'
import { createClient, memoryStorage } from '../../client/src/index.ts'
import { startClientServer } from '../support/client-server.ts'
import { SUITE } from './suite.ts'

const { url, log, member } = await startClientServer()

for (const [title, run] of Object.entries(SUITE)) test(title, () => run({ url }))

test('without Web Locks, clients that share a storage refresh once', async () => {
  const storage = memoryStorage()
  const first = createClient({ url, storage })
  await first.auth.signIn(await member())
  const key = `skep:${url}`
  await storage.setItem(key, JSON.stringify({ ...JSON.parse(String(await storage.getItem(key))), renewAtMs: 0 }))
  const requestsCount = () => log.entries.filter(({ fields }) => fields.route === '/api/v1/auth/token').length
  const before = requestsCount()
  const others = Array.from({ length: 10 }, () => createClient({ url, storage }))
  const sessions = await Promise.all(others.map((other) => other.auth.session()))
  expect(new Set(sessions.map((session) => session?.accessToken)).size).toBe(1)
  expect(requestsCount() - before).toBe(1)
  for (const each of [first, ...others]) each.close()
})
