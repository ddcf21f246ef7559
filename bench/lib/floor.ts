import { join } from 'node:path'
import { type Server, startServer } from './server.ts'

/** Starts `floors/NAME.ts`: a server that does the same work with nothing around it. */
export const startFloor = (
  name: string,
  { folder, core, args }: { folder: string; core: number | null; args: readonly string[] },
): Promise<Server> =>
  startServer({
    command: [process.execPath, join(import.meta.dir, '../floors', `${name}.ts`), ...args],
    folder,
    core,
  })
