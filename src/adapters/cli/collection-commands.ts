import { type Commands, EXIT, type Flags } from './program.ts'

/** One line for each fault. */
interface Problems {
  readonly problems: readonly string[]
}

export type Result<Name extends string> = Readonly<Record<Name, readonly string[]>> | Problems

export interface CollectionCapabilities<Settings> {
  /** Writes the definition of every collection to a folder and returns their names. */
  exportCollections(settings: Settings, folder: string): Promise<readonly string[]>
  /** Returns a line for each change, made or only planned, or for each fault. */
  applyCollections(
    settings: Settings,
    options: { readonly folder: string; readonly check: boolean; readonly prune: boolean },
  ): Promise<Result<'changes'>>
  /** TypeScript types of the collections of the database or, if one is given, of a folder. */
  declareTypes(settings: Settings, folder: string | undefined): Promise<{ readonly text: string } | Problems>
  print(text: string): void
  complain(text: string): void
}

/** Reads the settings and runs a command, or prints what is wrong with them. */
export type WithSettings<Settings> = (
  flags: Flags,
  run: (reading: { readonly settings: Settings }) => Promise<number>,
) => Promise<number>

/** Each with its end of line. */
export const lines = (texts: readonly string[]): string => texts.map((text) => `${text}\n`).join('')

/** The commands about collections. `write` writes to a file, or to standard output. */
export const createCollectionCommands = <Settings>(
  capable: CollectionCapabilities<Settings>,
  withSettings: WithSettings<Settings>,
  write: (file: string | undefined, text: string) => void,
): Pick<Commands, 'exportCollections' | 'applyCollections' | 'types'> => {
  const { print, complain } = capable
  return {
    exportCollections: ({ folder }, flags) =>
      withSettings(flags, async ({ settings }) => {
        const names = await capable.exportCollections(settings, folder)
        print(lines(names.map((name) => `Wrote ${name}.json`)))
        return EXIT.done
      }),

    applyCollections: (options, flags) =>
      withSettings(flags, async ({ settings }) => {
        const applied = await capable.applyCollections(settings, options)
        if ('problems' in applied) {
          complain(lines(applied.problems))
          return EXIT.failed
        }
        print(applied.changes.length === 0 ? 'Nothing to change\n' : lines(applied.changes))
        return options.check && applied.changes.length > 0 ? EXIT.failed : EXIT.done
      }),

    types: ({ out, dir }, flags) =>
      withSettings(flags, async ({ settings }) => {
        const declared = await capable.declareTypes(settings, dir)
        if ('problems' in declared) {
          complain(lines(declared.problems))
          return EXIT.failed
        }
        write(out, declared.text)
        return EXIT.done
      }),
  }
}
