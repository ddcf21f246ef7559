import { expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { folder, serve } from '../support/process.ts'

const json = (email: string) => ({ email, name: 'Ann', password: 'correct horse' })

test('without a mail server each mail becomes an .eml file in DATA_DIR/mail and a line in the log', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path, env: { LOG_FORMAT: 'json' } })
  await skep.call('POST', '/users/', { json: json('ann@example.com') })
  await skep.stdout.match(/"mail written".*"to":"ann@example.com"/)
  const mails = join(skep.dataDir, 'mail')
  const [name = ''] = readdirSync(mails)
  expect(name).toEndWith('.eml')
  expect(readFileSync(join(mails, name), 'utf8')).toContain(`${skep.url}/verify-email#token=`)
})

test('a mail that was being sent when the server was killed is sent after the restart', async () => {
  using home = folder()
  const asked = Promise.withResolvers<void>()
  // Says hello and no more: the mail hangs in the middle of its way.
  const mute = createServer((socket) => {
    socket.on('error', () => {})
    asked.resolve()
  })
  const { promise: listening, resolve } = Promise.withResolvers<void>()
  mute.listen(0, '127.0.0.1', resolve)
  await listening
  const address = mute.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  {
    const env = { SMTP_URL: `smtp://127.0.0.1:${address.port}` }
    await using skep = await serve({ cwd: home.path, env })
    await skep.call('POST', '/users/', { json: json('ann@example.com') })
    await asked.promise
    skep.signal('SIGKILL')
    await skep.exit()
    expect(existsSync(join(skep.dataDir, 'mail'))).toBe(false)
  }
  await using again = await serve({ cwd: home.path, env: { LOG_FORMAT: 'json' } })
  await again.stdout.match(/"mail written".*"to":"ann@example.com"/)
  expect(readdirSync(join(again.dataDir, 'mail'))).toHaveLength(1)
  mute.close()
})
