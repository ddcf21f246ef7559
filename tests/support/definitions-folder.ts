import { expect } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Folder, folder, run, type Server, serve } from './process.ts'
import { signIn } from './skep.ts'

const PASSWORD = 'correct horse battery'

/** A folder for an installation with a folder of definitions. */
export const home = () => {
  const own: Folder = folder()
  const definitions = join(own.path, 'definitions')
  mkdirSync(definitions)
  return {
    cwd: own.path,
    definitions,
    write: (file: string, content: unknown) =>
      writeFileSync(join(definitions, file), typeof content === 'string' ? content : JSON.stringify(content)),
    read: (file: string, from = 'definitions') => readFileSync(join(own.path, from, file), 'utf8'),
    skep: (...args: readonly string[]) => run(args, { cwd: own.path }),
    [Symbol.dispose]: () => own[Symbol.dispose](),
  }
}

export type Home = ReturnType<typeof home>

/** Makes the admin of an installation. */
export const admin = async ({ cwd }: Home) => {
  const args = ['admin', 'create', 'boss@example.com', '--password-stdin']
  expect((await run(args, { cwd, stdin: PASSWORD })).code).toBe(0)
}

/** A token of the admin. */
export const tokenOf = async (skep: Server) =>
  (await signIn(skep.call, { id: 0, email: 'boss@example.com', password: PASSWORD })).token

/** Creates records on a server that runs only for that. */
export const createRecords = async (at: Home, name: string, drafts: readonly object[]) => {
  await admin(at)
  await using skep = await serve({ cwd: at.cwd })
  const token = await tokenOf(skep)
  for (const json of drafts) {
    expect((await skep.call('POST', `/collections/${name}/records/`, { token, json })).status).toBe(201)
  }
}
