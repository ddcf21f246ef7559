import { expect, test } from 'bun:test'
import { folder, serve } from '../support/process.ts'

test('a user whose registration got 201 can sign in after kill -9 and a restart', async () => {
  using home = folder()
  const password = 'correct horse'
  const emails = Array.from({ length: 20 }, (_, index) => `person${index}@example.com`)
  {
    await using skep = await serve({ cwd: home.path })
    const answers = await Promise.all(
      emails.map((email) => skep.call('POST', '/users/', { json: { email, name: 'Ann', password } })),
    )
    skep.signal('SIGKILL')
    expect(answers.map(({ status }) => status)).toEqual(emails.map(() => 201))
    expect((await skep.exit()).signal).toBe('SIGKILL')
  }
  await using again = await serve({ cwd: home.path })
  for (const username of emails) {
    expect((await again.call('POST', '/auth/token', { form: { username, password } })).status).toBe(200)
  }
})
