import { describe, expect, test } from 'bun:test'
import pkg from '../../package.json' with { type: 'json' }
import { folder, run } from '../support/process.ts'

const COMMANDS = ['serve', 'migrate', 'admin', 'copy', 'openapi', 'config', 'health']

const skep = async (...args: string[]) => {
  using home = folder()
  return await run(args, { cwd: home.path })
}

test('--version prints the version and exits 0', async () => {
  expect(await skep('--version')).toMatchObject({ code: 0, stdout: `${pkg.version}\n`, stderr: '' })
})

test('--help lists every command and exits 0', async () => {
  const { code, stdout } = await skep('--help')
  expect(code).toBe(0)
  for (const name of COMMANDS) expect(stdout).toContain(`  ${name} `)
})

test.each([...COMMANDS, 'admin create'])('%s --help prints its usage and exits 0', async (command) => {
  const { code, stdout } = await skep(...command.split(' '), '--help')
  expect(code).toBe(0)
  expect(stdout).toStartWith(`Usage: skep ${command} `)
})

test('a shell that asks for nothing gets the help', async () => {
  const { stdout, stderr } = await skep()
  expect(stdout + stderr).toContain('Usage: skep')
})

describe.each([
  ['an unknown command', ['fly']],
  ['an unknown command below admin', ['admin', 'destroy']],
  ['an unknown flag', ['serve', '--colour']],
  ['a flag without its value', ['serve', '--port']],
  ['a missing argument', ['admin', 'create']],
  ['one argument too many', ['migrate', 'twice']],
] as const)('%s', (_, args) => {
  test('is wrong usage: exit 2, with a reason on stderr and nothing on stdout', async () => {
    const { code, stdout, stderr } = await skep(...args)
    expect(code).toBe(2)
    expect(stderr).toStartWith('error: ')
    expect(stdout).toBe('')
  })
})
