import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Answer, callAt } from '../../tests/support/call.ts'
import { type Server, type ServerOptions, spawnProgram, startServer } from './server.ts'

/** The repository. */
export const ROOT = resolve(import.meta.dir, '../..')

/** Skep as it is started. */
export interface Form {
  readonly name: 'source' | 'binary'
  /** What a command of it follows. */
  readonly program: readonly string[]
}

export const SOURCE: Form = { name: 'source', program: [process.execPath, join(ROOT, 'src/main.ts')] }

/** The compiled program; null when none was built. */
export const findBinary = (): Form | null => {
  const path = join(ROOT, 'dist/skep')
  return existsSync(path) ? { name: 'binary', program: [path] } : null
}

/** On, and out of reach: every request is counted and told, none refused. */
const COUNTED = '999999999/1h'

/** The defaults of a deployment, but for limits that load would meet at once. */
export const skepOptions = (
  form: Form,
  folder: string,
  env: Readonly<Record<string, string>> = {},
): Omit<ServerOptions, 'core'> => ({
  command: [...form.program, 'serve'],
  folder,
  env: {
    DATA_DIR: join(folder, 'data'),
    PORT: '0',
    LOG_FORMAT: 'json',
    RATE_LIMIT: COUNTED,
    RATE_LIMIT_AUTH: COUNTED,
    // As with the limits: counted, and out of reach.
    QUOTA: '1000000gb',
    ...env,
  },
})

/** Where {@link skepOptions} keeps the database. */
export const databaseOf = (folder: string): string => join(folder, 'data', 'skep.db')

export const startSkep = (
  form: Form,
  { folder, core, env }: { folder: string; core: number | null; env?: Readonly<Record<string, string>> },
): Promise<Server> => startServer({ ...skepOptions(form, folder, env), core })

/** Runs a command of the program that ends by itself. */
export const runSkep = async (
  form: Form,
  args: readonly string[],
  { folder, env }: { readonly folder: string; readonly env?: Readonly<Record<string, string>> },
): Promise<void> => {
  const command = [...form.program, ...args]
  const program = spawnProgram({ ...skepOptions(form, folder, env), command, core: null })
  if ((await program.exited) !== 0) throw new Error(`${command.join(' ')} failed:\n${program.output()}`)
}

/** Gives a database that several processes share its tables; a folder's own gets them when it is opened. */
export const migrate = (
  form: Form,
  options: { folder: string; env: Readonly<Record<string, string>> },
): Promise<void> => runSkep(form, ['migrate'], options)

export interface Member {
  readonly id: number
  readonly token: string
}

const expectStatus = <T>({ status, body }: Answer<T>, wanted: number): T => {
  if (status === wanted) return body
  throw new Error(`answered ${status} instead of ${wanted}: ${JSON.stringify(body)}`)
}

const PASSWORD = 'correct horse battery'

/** What whoever {@link signUp} made signs in with. */
export const credentialsOf = (email: string) => ({ username: email, password: PASSWORD })

export interface Pair {
  readonly access_token: string
  readonly refresh_token: string
}

/** Opens a session for whoever {@link signUp} made. */
export const signIn = async (url: string, email: string): Promise<Pair> =>
  expectStatus(await callAt<Pair>(url, 'POST', '/auth/token', { form: credentialsOf(email) }), 200)

/** Registers and signs in, over HTTP like anyone. */
export const signUp = async (url: string, email = 'ann@example.com'): Promise<Member> => {
  const json = { email, name: 'Ann', password: PASSWORD }
  const { id } = expectStatus(await callAt<{ readonly id: number }>(url, 'POST', '/users/', { json }), 201)
  return { id, token: (await signIn(url, email)).access_token }
}
