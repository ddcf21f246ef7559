import { Command, CommanderError, Option } from 'commander'

/** Settings given as flags, by the name of their environment variable. */
export type Flags = Readonly<Record<string, string | undefined>>

/** What each command does. A number is the exit code. */
export interface Commands {
  serve(flags: Flags): Promise<number>
  migrate(options: { readonly check: boolean }, flags: Flags): Promise<number>
  createAdmin(options: { email: string; name?: string; passwordFromStdin: boolean }, flags: Flags): Promise<number>
  rotateSecret(flags: Flags): Promise<number>
  copy(options: { readonly to: string; readonly files?: string }, flags: Flags): Promise<number>
  exportCollections(options: { readonly folder: string }, flags: Flags): Promise<number>
  applyCollections(
    options: { readonly folder: string; readonly check: boolean; readonly prune: boolean },
    flags: Flags,
  ): Promise<number>
  types(options: { readonly out?: string; readonly dir?: string }, flags: Flags): Promise<number>
  backup(options: { readonly to?: string }, flags: Flags): Promise<number>
  verifyBackup(options: { readonly file: string }, flags: Flags): Promise<number>
  restore(options: { readonly file: string }, flags: Flags): Promise<number>
  backupKey(): Promise<number>
  openapi(options: { readonly out?: string }): Promise<number>
  config(flags: Flags): Promise<number>
  health(flags: Flags): Promise<number>
}

export const EXIT = { done: 0, failed: 1, usage: 2 } as const

const dataDir = () => new Option('--data-dir <dir>', 'folder of the database, files and secret (DATA_DIR)')

const toFlags = (options: { host?: string; port?: string; dataDir?: string }): Flags => ({
  HOST: options.host,
  PORT: options.port,
  DATA_DIR: options.dataDir,
})

const COPY_HELP = `
The source is the installation that DATA_DIR, DATABASE_URL and FILES_URL name. Stop its server first.
The keys for S3 are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as for serve.

Users, sessions, records, files, links, jobs, events and idempotency keys keep their ids. Tokens, links and cursors stay
valid if the new processes get the same JWT_SECRET. At the end the command prints the settings for the new processes.

Files are copied first, each checked against its SHA-256; then all rows in one transaction, which commits only if Postgres
reads back the same rows. After an interruption, run it again to resume. After success, running it again only verifies.
Exit codes: 0 copied, or already copied; 1 not copied, and nothing is in the database; 2 wrong usage.
`

const APPLY_HELP = `
Creates and changes collections so that the database has the definitions in DIR, all of them or none. Collections that
have no file in DIR remain, unless --prune is given, which deletes them if they are empty. All errors of all files are
printed, each with its file and its position. --check does not read records.

No server may be using an embedded database: stop it, or set COLLECTIONS_DIR and restart it. With --check, the server may
be running.
Exit codes: 0 done, or nothing to do; 1 refused, or --check found changes; 2 wrong usage.
`

const MIGRATE_HELP = `
With COLLECTIONS_DIR, the definitions in that folder are applied afterwards, as by collections apply.
Exit codes: 0 done, or nothing to do; 1 refused, or --check found changes; 2 wrong usage.
`

const addCollectionCommands = (program: Command, commands: Commands, done: (code: number) => void) => {
  const collections = program.command('collections').description('keep the definitions of collections as files')

  collections
    .command('export')
    .description('write the definition of each collection to DIR/NAME.json')
    .argument('<dir>')
    .addOption(dataDir())
    .action(async (folder, options) => {
      done(await commands.exportCollections({ folder }, toFlags(options)))
    })

  collections
    .command('apply')
    .description('make the database match the definitions in DIR, and print the changes')
    .argument('<dir>')
    .option('--check', 'only print the changes, and exit 1 if there are any', false)
    .option('--prune', 'delete empty collections that have no file', false)
    .addOption(dataDir())
    .addHelpText('after', APPLY_HELP)
    .action(async (folder, { check, prune, ...options }) => {
      done(await commands.applyCollections({ folder, check, prune }, toFlags(options)))
    })

  program
    .command('types')
    .description('write TypeScript types of all collections')
    .option('--out <file>', 'write to a file instead of standard output')
    .option('--dir <dir>', 'read definitions from a folder instead of the database')
    .addOption(dataDir())
    .action(async ({ out, dir, ...options }) => {
      const given = { ...(out === undefined ? {} : { out }), ...(dir === undefined ? {} : { dir }) }
      done(await commands.types(given, toFlags(options)))
    })
}

const addServerCommands = (program: Command, commands: Commands, done: (code: number) => void) => {
  program
    .command('serve')
    .description('migrate an embedded database and start the server')
    .option('--host <host>', 'address to listen on (HOST)')
    .option('--port <port>', 'port to listen on, 0 for any free port (PORT)')
    .addOption(dataDir())
    .action(async (options) => {
      done(await commands.serve(toFlags(options)))
    })

  program
    .command('migrate')
    .description('apply pending migrations and the definitions in COLLECTIONS_DIR')
    .option('--check', 'only list them, and exit 1 if there are any', false)
    .addOption(dataDir())
    .addHelpText('after', MIGRATE_HELP)
    .action(async (options) => {
      done(await commands.migrate({ check: options.check }, toFlags(options)))
    })

  program
    .command('config')
    .description('print the effective settings and where each came from')
    .addOption(dataDir())
    .action(async (options) => {
      done(await commands.config(toFlags(options)))
    })

  program
    .command('health')
    .description('check whether a running server is ready; exit 1 if not')
    .option('--host <host>', 'address that the server listens on (HOST)')
    .option('--port <port>', 'port that the server listens on (PORT)')
    .action(async (options) => {
      done(await commands.health(toFlags(options)))
    })
}

const addAdministrationCommands = (program: Command, commands: Commands, done: (code: number) => void) => {
  program
    .command('admin')
    .description('manage admins')
    .command('create')
    .description('create an active, verified admin')
    .argument('<email>')
    .option('--name <name>', 'name of the admin')
    .option('--password-stdin', 'read the password from standard input instead of printing a generated one', false)
    .addOption(dataDir())
    .action(async (email, options) => {
      const name = options.name === undefined ? {} : { name: options.name }
      done(await commands.createAdmin({ email, ...name, passwordFromStdin: options.passwordStdin }, toFlags(options)))
    })

  program
    .command('secret')
    .description('manage the signing key in DATA_DIR')
    .command('rotate')
    .description(
      'create a new signing key; the previous key stays valid for verification until its tokens have expired',
    )
    .addOption(dataDir())
    .action(async (options) => {
      done(await commands.rotateSecret(toFlags(options)))
    })

  program
    .command('copy')
    .description('copy an embedded installation to Postgres and optionally S3, without changing the source')
    .requiredOption(
      '--to <url>',
      'an empty Postgres database: postgres://USER:PASSWORD@HOST/NAME, or - to read that from standard input',
    )
    .option(
      '--files <url>',
      'where to copy files: s3://BUCKET?endpoint=…&region=… or file:PATH; by default they stay where they are',
    )
    .addOption(dataDir())
    .addHelpText('after', COPY_HELP)
    .action(async ({ to, files, ...options }) => {
      done(await commands.copy({ to, ...(files === undefined ? {} : { files }) }, toFlags(options)))
    })

  program
    .command('openapi')
    .description('write the OpenAPI document')
    .option('--out <file>', 'write to a file instead of standard output')
    .action(async (options) => {
      done(await commands.openapi(options))
    })
}

const BACKUP_HELP = `
One archive has the database and all files, as they are when it begins: a tar file compressed with zstd and, with
BACKUP_KEY, encrypted for age. Only an encrypted archive has the signing secret. A server may run meanwhile.

Without --to, it is kept where BACKUP_URL says, and listed with the others. FILE may be a folder, and an object on S3 ends
in .zst or .age; otherwise a name is chosen. An existing archive is never replaced.
Exit codes: 0 done; 1 failed, and there is no archive; 2 wrong usage.
`

const RESTORE_HELP = `
The target is what DATA_DIR, DATABASE_URL and FILES_URL name: an embedded database or Postgres, a folder or S3, whatever
the archive was made from. All of it has to be empty. Set BACKUP_KEY if the archive is encrypted. The whole archive is
checked before the first change.
Exit codes: 0 restored; 1 refused or failed, and nothing was restored; 2 wrong usage.
`

const addBackupCommands = (program: Command, commands: Commands, done: (code: number) => void) => {
  const backup = program
    .command('backup')
    .description('write one archive of the whole installation, while it is served or not')
    .option('--to <file>', 'a file, a folder, or s3://BUCKET/NAME.tar.zst?endpoint=…&region=…')
    .addOption(dataDir())
    .addHelpText('after', BACKUP_HELP)
    .action(async ({ to, ...options }) => {
      done(await commands.backup(to === undefined ? {} : { to }, toFlags(options)))
    })

  backup
    .command('verify')
    .description('restore an archive into a scratch folder and compare')
    .argument('<file>')
    .action(async (file) => {
      done(await commands.verifyBackup({ file }, {}))
    })

  backup
    .command('key')
    .description('print a new key for BACKUP_KEY')
    .action(async () => {
      done(await commands.backupKey())
    })

  program
    .command('restore')
    .description('restore an archive into an empty installation')
    .argument('<file>')
    .addOption(dataDir())
    .addHelpText('after', RESTORE_HELP)
    .action(async (file, options) => {
      done(await commands.restore({ file }, toFlags(options)))
    })
}

/**
 * Runs one command line (without the program's name) and returns its exit code: 0 success, 1 failure, 2 wrong usage.
 */
export const runProgram = async (args: readonly string[], version: string, commands: Commands): Promise<number> => {
  let code: number = EXIT.done
  const program = new Command('skep')
    .description('The application backend in one file')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(skep --help lists the commands)')

  const done = (result: number) => {
    code = result
  }
  addServerCommands(program, commands, done)
  addAdministrationCommands(program, commands, done)
  addCollectionCommands(program, commands, done)
  addBackupCommands(program, commands, done)

  try {
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? EXIT.done : EXIT.usage
  }
}
