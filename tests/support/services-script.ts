import { resolve } from 'node:path'

const SCRIPT = resolve(import.meta.dir, '../../scripts/test-services.sh')

type Command = 'start' | 'restart' | 'pause' | 'resume' | 'stop'

/** The command line of `scripts/test-services.sh`, which keeps a Postgres and a Redis server in a folder. */
export const servicesCommand = (command: Command, folder: string): readonly string[] => [
  'bash',
  SCRIPT,
  command,
  folder,
]

/** Runs {@link servicesCommand}, or what starts it, to its end, and answers what it printed. */
export const runServices = async (command: readonly string[]): Promise<string> => {
  const child = Bun.spawn([...command], { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
  return stdout
}

/** Where Postgres listens, as `start` prints it. */
export const postgresUrlIn = (printed: string): string => /SKEP_TEST_POSTGRES_URL=(\S+)/.exec(printed)?.[1] ?? ''

/** Where Redis does, which is started where it is installed. */
export const redisUrlIn = (printed: string): string => /SKEP_TEST_REDIS_URL=(\S+)/.exec(printed)?.[1] ?? ''
