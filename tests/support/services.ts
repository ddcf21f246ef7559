import { afterAll } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const SCRIPT = resolve(import.meta.dir, '../../scripts/test-services.sh')

const script = async (command: 'start' | 'restart' | 'stop', folder: string): Promise<string> => {
  const child = Bun.spawn(['bash', SCRIPT, command, folder], { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  if (code !== 0) throw new Error(`test-services.sh ${command}: ${stderr}`)
  return stdout
}

/** A Postgres server of one's own, to be restarted; gone when the tests of this file are done. */
export const startPostgres = async (): Promise<{ readonly url: string; restart(): Promise<unknown> }> => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-services-'))
  afterAll(async () => {
    await script('stop', folder)
    rmSync(folder, { recursive: true, force: true })
  })
  const url = /SKEP_TEST_POSTGRES_URL=(\S+)/.exec(await script('start', folder))?.[1] ?? ''
  return { url, restart: () => script('restart', folder) }
}
