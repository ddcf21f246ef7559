import { afterAll, expect, test } from 'bun:test'
// Before anything that loads Elysia, as in the program.
import '../../src/main/production-mode.ts'

import { Elysia } from 'elysia'
import { type ApiDeps, createApi } from '../../src/adapters/http/api.ts'
import { chunksOf } from '../../src/adapters/http/body.ts'
import { openCall } from '../../src/adapters/http/call.ts'
import { unusable } from '../../src/adapters/http/docs/unusable.ts'
import { createIdleTimeout, withIdleTimeout } from '../../src/adapters/http/idle-timeout.ts'
import { createKernel } from '../../src/adapters/http/kernel.ts'
import { UNLIMITED } from '../../src/adapters/http/rule.ts'
import { listen } from '../../src/adapters/http/server.ts'
import { openConnection } from './connection.ts'

/** Bun looks at its connections every four seconds. */
const IDLE_TIMEOUT_SECONDS = 1

/** Routes that work until they are told to answer. */
const serveSlowly = () => {
  const answering = Promise.withResolvers<void>()
  const app: Elysia = new Elysia()
  const idleTimeout = createIdleTimeout(() => app.server, IDLE_TIMEOUT_SECONDS)
  const kernel = createKernel({ ...unusable<Parameters<typeof createKernel>[0]>(), idleTimeout, maxBodyBytes: 100 })
  const answer = async () => {
    await answering.promise
    return 'done'
  }
  app
    .onRequest((c) => {
      Object.assign(c, { call: openCall(c.request) })
    })
    .use(kernel)
    .post('/ordinary', () => answer(), { admit: UNLIMITED })
    .post('/long', () => answer(), { admit: { ...UNLIMITED, mayTakeLong: true } })
    .post(
      '/stream',
      async ({ request, idleTimeout }) => {
        for await (const _ of withIdleTimeout(chunksOf(request), request, idleTimeout)) await answering.promise
        return 'done'
      },
      { admit: { ...UNLIMITED, body: 'stream' } },
    )
  const server = listen(app, {
    ...{ host: '127.0.0.1', port: 0, idleTimeoutSeconds: IDLE_TIMEOUT_SECONDS },
    websocket: { message() {} },
  })
  afterAll(() => server.stop(0))
  const post = async (path: string, length: number, sent: string) => {
    const connection = await openConnection(server.url)
    connection.send(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n${sent}`)
    return connection
  }
  return { post, release: answering.resolve }
}

test('work that may take long keeps its connection, and a client that sends no more of a body loses it', async () => {
  const { post, release } = serveSlowly()
  using long = await post('/long', 0, '')
  using stream = await post('/stream', 6, 'a line')
  using ordinary = await post('/ordinary', 0, '')
  expect(await ordinary.status()).toBeNull()
  using stopped = await post('/stream', 12, 'a line')
  release()
  expect([await long.status(), await stream.status()]).toEqual([200, 200])
  expect(await stopped.status()).toBeNull()
})

test('deletions of records and files, and changes of definitions, may take long', () => {
  const api = createApi(unusable<ApiDeps>(), {
    ...{ rateLimit: 'off', rateLimitAuth: 'off', trustProxy: 0, maxBodyBytes: 1, allowedHosts: '*', corsOrigins: [] },
    ...{ appName: 'Skep', appUrl: undefined, userLookup: 'exact', docs: 'public', https: false, basePath: '' },
    ...{ version: '', idleTimeoutSeconds: IDLE_TIMEOUT_SECONDS },
  })
  const long = api.routes.filter(({ hooks }) => hooks.detail?.['x-admit']?.mayTakeLong === true)
  expect(long.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
    'DELETE /api/v1/collections/:collection/records/:id',
    'DELETE /api/v1/files/:id',
    'DELETE /api/v1/items/:id',
    'PUT /api/v1/collections/:collection',
  ])
})
