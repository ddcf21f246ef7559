import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { folder, run, type Server, serve } from '../support/process.ts'
import { signIn } from '../support/skep.ts'

const EMAIL = 'boss@example.com'
const PASSWORD = 'correct horse battery'

const passwordIn = (stdout: string): string => /^Password: (\S+)$/m.exec(stdout)?.[1] ?? ''

const whoIs = async (skep: Server, email: string, password: string) => {
  const { token } = await signIn(skep.call, { id: 0, email, password })
  return (await skep.call('GET', '/users/me', { token })).body
}

test('admin create prints a generated password once, which signs in an active, verified admin', async () => {
  using home = folder()
  const { code, stdout } = await run(['admin', 'create', EMAIL], { cwd: home.path })
  expect(code).toBe(0)
  const password = passwordIn(stdout)
  expect(password.length).toBeGreaterThanOrEqual(16)
  expect(stdout.split(password)).toHaveLength(2)

  await using skep = await serve({ cwd: home.path })
  const admin = await whoIs(skep, EMAIL, password)
  expect(admin).toMatchObject({ email: EMAIL, role: 'admin', is_active: true, email_verified: true })
})

test('two admins get different passwords', async () => {
  using home = folder()
  const first = await run(['admin', 'create', EMAIL], { cwd: home.path })
  const second = await run(['admin', 'create', 'other@example.com'], { cwd: home.path })
  expect(passwordIn(first.stdout)).not.toBe(passwordIn(second.stdout))
})

test('--password-stdin takes the first line of standard input and prints no password', async () => {
  using home = folder()
  const made = await run(['admin', 'create', EMAIL, '--password-stdin'], { cwd: home.path, stdin: `${PASSWORD}\n` })
  expect(made.code).toBe(0)
  expect(made.stdout + made.stderr).not.toContain(PASSWORD)
  expect(made.stdout).not.toContain('Password:')

  await using skep = await serve({ cwd: home.path })
  expect(await whoIs(skep, EMAIL, PASSWORD)).toMatchObject({ role: 'admin' })
})

test('--name is how the admin is called, and the address is stored in lower case', async () => {
  using home = folder()
  const args = ['admin', 'create', 'Boss@Example.com', '--name', 'The Boss', '--password-stdin']
  expect((await run(args, { cwd: home.path, stdin: PASSWORD })).code).toBe(0)
  await using skep = await serve({ cwd: home.path })
  expect(await whoIs(skep, EMAIL, PASSWORD)).toMatchObject({ name: 'The Boss', email: EMAIL })
})

test('an admin can be made while a server runs, and signs in at once', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path })
  const { code, stdout } = await run(['admin', 'create', EMAIL], { cwd: home.path })
  expect(code).toBe(0)
  expect(await whoIs(skep, EMAIL, passwordIn(stdout))).toMatchObject({ role: 'admin' })
})

test('a taken address exits 1 with one line, and its password stays', async () => {
  using home = folder()
  await run(['admin', 'create', EMAIL, '--password-stdin'], { cwd: home.path, stdin: PASSWORD })
  const again = await run(['admin', 'create', EMAIL.toUpperCase()], { cwd: home.path })
  expect(again).toMatchObject({ code: 1, stdout: '' })
  expect(again.stderr).toMatch(/^skep: .*already registered.*\n$/i)

  await using skep = await serve({ cwd: home.path })
  expect(await whoIs(skep, EMAIL, PASSWORD)).toMatchObject({ role: 'admin' })
})

test('a wrong address, name and password each get a line, exit 2, and nothing is made', async () => {
  using home = folder()
  const args = ['admin', 'create', 'nobody', '--name', ' ', '--password-stdin']
  const { code, stdout, stderr } = await run(args, { cwd: home.path, stdin: 'sesame' })
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr.trimEnd().split('\n')).toHaveLength(3)
  expect(stderr).not.toContain('sesame')
  expect(readdirSync(home.path)).toEqual([])
})
