import { afterAll } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgresUrlIn, runServices, servicesCommand } from './services-script.ts'

export interface PostgresServer {
  readonly url: string
  restart(): Promise<unknown>
  /** Stops it until {@link resume}. */
  pause(): Promise<unknown>
  resume(): Promise<unknown>
}

/** A Postgres server of one's own, to be restarted; gone when the tests of this file are done. */
export const startPostgres = async (): Promise<PostgresServer> => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-services-'))
  afterAll(async () => {
    await runServices(servicesCommand('stop', folder))
    rmSync(folder, { recursive: true, force: true })
  })
  const url = postgresUrlIn(await runServices(servicesCommand('start', folder)))
  const does = (command: 'restart' | 'pause' | 'resume') => () => runServices(servicesCommand(command, folder))
  return { url, restart: does('restart'), pause: does('pause'), resume: does('resume') }
}
