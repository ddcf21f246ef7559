import type { Command, Option } from 'commander'
import { lines, type WithSettings } from './collection-commands.ts'
import { type Commands, EXIT, type Flags } from './program.ts'

interface Problems {
  readonly problems: readonly string[]
}

/** Each returns what is wrong with its arguments, or null when it is done. */
export interface BackupCapabilities<Settings> {
  backup(settings: Settings, to: string | undefined): Promise<Problems | null>
  verifyBackup(settings: Settings, file: string): Promise<Problems | null>
  restore(settings: Settings, file: string): Promise<Problems | null>
  printBackupKey(): Promise<void>
  complain(text: string): void
}

type BackupCommands = Pick<Commands, 'backup' | 'verifyBackup' | 'restore' | 'backupKey'>

export const createBackupCommands = <Settings>(
  capable: BackupCapabilities<Settings>,
  withSettings: WithSettings<Settings>,
): BackupCommands => {
  const exitOf = (wrong: Problems | null): number => {
    if (wrong === null) return EXIT.done
    capable.complain(lines(wrong.problems))
    return EXIT.usage
  }
  return {
    backup: ({ to }, flags) => withSettings(flags, async ({ settings }) => exitOf(await capable.backup(settings, to))),
    verifyBackup: ({ file }, flags) =>
      withSettings(flags, async ({ settings }) => exitOf(await capable.verifyBackup(settings, file))),
    restore: ({ file }, flags) =>
      withSettings(flags, async ({ settings }) => exitOf(await capable.restore(settings, file))),
    async backupKey() {
      await capable.printBackupKey()
      return EXIT.done
    },
  }
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

interface Adding {
  readonly dataDir: () => Option
  readonly toFlags: (options: { readonly dataDir?: string }) => Flags
  readonly done: (code: number) => void
}

export const addBackupCommands = (program: Command, commands: BackupCommands, { dataDir, toFlags, done }: Adding) => {
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
