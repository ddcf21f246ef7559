import { writeFileSync } from 'node:fs'
import type { Users } from '../../application/users.ts'
import { isEmail, isPassword, isUserName, passwordWeakness, USER_LIMITS } from '../../domain/user.ts'
import { type BackupCapabilities, createBackupCommands } from './backup-commands.ts'
import { type CollectionCapabilities, createCollectionCommands, lines, type Result } from './collection-commands.ts'
import { type Commands, EXIT, type Flags } from './program.ts'

interface Given {
  readonly JWT_SECRET?: string | undefined
  readonly DATA_DIR: string
  readonly HOST: string
  readonly PORT: number
  readonly ALLOWED_HOSTS?: '*' | readonly string[] | undefined
}

/** Valid settings, and how each is shown. */
export interface ReadSettings<Settings> {
  readonly settings: Settings
  readonly shown: readonly {
    readonly name: string
    readonly value: string | null
    readonly source: 'flag' | 'environment' | 'default'
  }[]
}

export type Reading<Settings> = ReadSettings<Settings> | { readonly problems: readonly string[] }

/** One line for each change that was made or is pending, and for each problem that prevents further ones. */
export interface Migrated {
  readonly changes: readonly string[]
  readonly problems: readonly string[]
}

/** The actions behind the commands. */
export interface Capabilities<Settings extends Given>
  extends CollectionCapabilities<Settings>,
    BackupCapabilities<Settings> {
  readSettings(flags: Flags): Reading<Settings>
  /** Serves until a signal stops it. */
  serve(settings: ReadSettings<Settings>): Promise<void>
  /** Applies migrations and the definitions of COLLECTIONS_DIR. */
  migrate(settings: Settings): Promise<Migrated>
  /** What {@link Capabilities.migrate} would do; creates nothing. */
  pendingChanges(settings: Settings): Promise<Migrated>
  withUsers<T>(settings: Settings, work: (users: Users) => Promise<T>): Promise<T>
  /** Replaces the secret in the data folder. Throws if there is none. */
  rotateSecret(settings: Settings): void
  /**
   * Copies an embedded installation and returns the settings for the new processes, or, without doing anything, the
   * problems of the arguments. Rejects if it cannot be copied.
   */
  copy(settings: Settings, options: { readonly to: string; readonly files?: string }): Promise<Result<'toSet'>>
  generatePassword(): string
  describe(): Promise<unknown>
  print(text: string): void
  complain(text: string): void
}

const readStdin = async () => (await Bun.stdin.text()).replace(/\r?\n$/, '')

const { minLength, maxLength } = USER_LIMITS.password

const wrongPassword = (email: string, password: string): readonly string[] => {
  if (!isPassword(password)) return [`password: expected ${minLength} to ${maxLength} characters`]
  const why = passwordWeakness(password, email)
  return why === null ? [] : [`password: ${why}`]
}

const wrongParts = (email: string, name: string, password: string): readonly string[] => [
  ...(isEmail(email) ? [] : ['EMAIL: expected an email address']),
  ...(isUserName(name) ? [] : ['--name: expected 1 to 200 visible characters']),
  ...wrongPassword(email, password),
]

/** The address at which a server that listens on `HOST` can be reached from this machine. */
const localUrl = ({ HOST, PORT }: Pick<Given, 'HOST' | 'PORT'>): string => {
  const host = HOST === '0.0.0.0' ? '127.0.0.1' : HOST === '::' ? '::1' : HOST
  return `http://${host.includes(':') ? `[${host}]` : host}:${PORT}`
}

/** Reads the settings and runs a command, or prints what is wrong with them. */
type WithReading<Settings> = (
  flags: Flags,
  run: (reading: ReadSettings<Settings>) => Promise<number> | number,
) => Promise<number>

type Write = (file: string | undefined, text: string) => void

/** Commands that create what gives access: the first account and the key. */
const createAccessCommands = <Settings extends Given>(
  capable: Capabilities<Settings>,
  withSettings: WithReading<Settings>,
): Pick<Commands, 'createAdmin' | 'rotateSecret'> => {
  const { print, complain } = capable
  return {
    createAdmin: ({ email, name = 'Admin', passwordFromStdin }, flags) =>
      withSettings(flags, async ({ settings }) => {
        const password = passwordFromStdin ? await readStdin() : capable.generatePassword()
        const wrong = wrongParts(email, name, password)
        if (wrong.length > 0) {
          complain(`${wrong.join('\n')}\n`)
          return EXIT.usage
        }
        const admin = await capable.withUsers(settings, (users) => users.createAdmin({ email, name, password }))
        print(`Created admin ${admin.email} (id ${admin.id})\n`)
        if (!passwordFromStdin) print(`Password: ${password}\n`)
        return EXIT.done
      }),

    rotateSecret: (flags) =>
      withSettings(flags, ({ settings }) => {
        if (settings.JWT_SECRET !== undefined) {
          complain('JWT_SECRET: is set, so there is no stored key to rotate; set another value and restart\n')
          return EXIT.usage
        }
        capable.rotateSecret(settings)
        print(
          'Created a new key. Restart the server to use it; tokens and links signed with the old one work until they expire.\n',
        )
        return EXIT.done
      }),
  }
}

/** Commands that only show something. */
const createShowingCommands = <Settings extends Given>(
  capable: Capabilities<Settings>,
  withSettings: WithReading<Settings>,
  write: Write,
): Pick<Commands, 'openapi' | 'config' | 'health'> => {
  const { print } = capable
  return {
    async openapi({ out }) {
      write(out, `${JSON.stringify(await capable.describe(), null, 2)}\n`)
      return EXIT.done
    },

    config: (flags) =>
      withSettings(flags, ({ shown }) => {
        for (const { name, value, source } of shown) print(`${name}=${value ?? '(unset)'}  # ${source}\n`)
        return EXIT.done
      }),

    health: (flags) =>
      withSettings(flags, async ({ settings }) => {
        const response = await fetch(`${localUrl(settings)}/health/ready`, {
          // Uses a host name that the server accepts.
          headers: typeof settings.ALLOWED_HOSTS === 'object' ? { host: settings.ALLOWED_HOSTS[0] ?? '' } : {},
          signal: AbortSignal.timeout(5_000),
        })
        print(`${await response.text()}\n`)
        return response.ok ? EXIT.done : EXIT.failed
      }),
  }
}

export const createCommands = <Settings extends Given>(capable: Capabilities<Settings>): Commands => {
  const { print, complain } = capable
  const withSettings: WithReading<Settings> = async (flags, run) => {
    const reading = capable.readSettings(flags)
    if ('settings' in reading) return run(reading)
    for (const problem of reading.problems) complain(`${problem}\n`)
    return EXIT.usage
  }

  const write: Write = (file, text) => {
    if (file === undefined) print(text)
    else writeFileSync(file, text)
  }

  return {
    ...createCollectionCommands(capable, withSettings, write),
    ...createBackupCommands(capable, withSettings),
    ...createAccessCommands(capable, withSettings),
    ...createShowingCommands(capable, withSettings, write),

    serve: (flags) =>
      withSettings(flags, async (reading) => {
        await capable.serve(reading)
        return EXIT.done
      }),

    migrate: ({ check }, flags) =>
      withSettings(flags, async ({ settings }) => {
        const { changes, problems } = await (check ? capable.pendingChanges(settings) : capable.migrate(settings))
        print(lines(changes))
        complain(lines(problems))
        if (problems.length > 0) return EXIT.failed
        if (!check && changes.length === 0) print('Up to date\n')
        return check && changes.length > 0 ? EXIT.failed : EXIT.done
      }),

    copy: (options, flags) =>
      withSettings(flags, async ({ settings }) => {
        const to = options.to === '-' ? await readStdin() : options.to
        const copied = await capable.copy(settings, { ...options, to })
        if ('problems' in copied) {
          for (const problem of copied.problems) complain(`${problem}\n`)
          return EXIT.usage
        }
        print(`Settings for the processes that will serve it:\n${copied.toSet.map((line) => `  ${line}\n`).join('')}`)
        return EXIT.done
      }),
  }
}
