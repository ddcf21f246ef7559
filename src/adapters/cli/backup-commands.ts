import { lines, type WithSettings } from './collection-commands.ts'
import { type Commands, EXIT } from './program.ts'

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
