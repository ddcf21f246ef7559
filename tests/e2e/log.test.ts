import { expect, test } from 'bun:test'
import { entriesOf, folder, serve } from '../support/process.ts'
import { signIn } from '../support/skep.ts'

const PERSON = { email: 'ann@example.com', name: 'Ann', password: 'correct horse' }

test('every request becomes one JSON line with request id, method, route, status, duration, user id and address', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path })
  const { body } = await skep.call<{ id: number }>('POST', '/users/', { json: PERSON })
  const { token } = await signIn(skep.call, { ...PERSON, id: body.id })
  const { headers } = await skep.call('GET', `/users/${body.id}`, { token })
  await skep.call('GET', '/nowhere', { headers: { 'x-request-id': 'my-own.id' } })
  skep.signal('SIGTERM')

  const entries = entriesOf((await skep.exit()).stdout)
  const mine = entries.filter((entry) => entry.request_id === headers.get('x-request-id'))
  expect(mine).toEqual([
    {
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: 'info',
      msg: 'request',
      request_id: expect.stringMatching(/^[\w.-]{1,64}$/),
      method: 'GET',
      route: expect.stringContaining('/api/v1/users/:id'),
      status: 200,
      duration_ms: expect.any(Number),
      user_id: body.id,
      address: '127.0.0.1',
    },
  ])
  expect(entries.filter((entry) => entry.request_id === 'my-own.id')).toMatchObject([{ status: 404 }])
})

test('no token and no password is ever in the log', async () => {
  using home = folder()
  const env = { LOG_LEVEL: 'debug', METRICS_TOKEN: 'metrics-token-of-this-test', JWT_SECRET: 'secret'.repeat(8) }
  await using skep = await serve({ cwd: home.path, env })
  const { body } = await skep.call<{ id: number }>('POST', '/users/', { json: PERSON })
  const { token, refreshToken } = await signIn(skep.call, { ...PERSON, id: body.id })
  const wrong = { token: `${token}x`, password: 'not the password' }
  await skep.call('GET', '/users/me', { token })
  await skep.call('GET', '/users/me', { token: wrong.token })
  await skep.call('GET', `/users/me?access_token=${token}`)
  await skep.call('GET', `/nowhere/${refreshToken}?token=${refreshToken}`, { headers: { cookie: `session=${token}` } })
  await skep.call('POST', '/auth/token', { form: { username: PERSON.email, password: wrong.password } })
  await skep.call('POST', '/auth/token', { form: { grant_type: 'refresh_token', refresh_token: refreshToken } })
  await skep.call('POST', '/users/', { json: { ...PERSON, email: 7 } })
  await skep.call('POST', '/users/', { body: PERSON.password, headers: { 'content-type': 'application/json' } })
  skep.signal('SIGTERM')

  const { stdout, stderr } = await skep.exit()
  expect(entriesOf(stdout).filter((entry) => entry.msg === 'request')).toHaveLength(10)
  const secrets = [token, refreshToken, PERSON.password, wrong.password, env.METRICS_TOKEN, env.JWT_SECRET]
  for (const secret of secrets) expect(stdout + stderr).not.toContain(secret)
})

test('a reader of the log that goes away does not end the server', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path })
  await skep.stdout.close()
  for (let call = 0; call < 3; call++) expect((await skep.call('GET', '//health')).status).toBe(200)
  skep.signal('SIGTERM')
  expect((await skep.exit()).code).toBe(0)
})

test('LOG_FORMAT=pretty writes lines for people', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path, env: { LOG_FORMAT: 'pretty' } })
  await skep.call('GET', '//health')
  skep.signal('SIGTERM')
  const { stdout } = await skep.exit()
  expect(stdout).toContain(`listening on ${skep.url}`)
  expect(stdout).not.toContain('"time"')
})
