import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BINARY, folder, run, serve } from '../support/process.ts'

// From source these files are Bun's own to read, so there is nothing to hold it to, and nothing is counted as skipped.
if (BINARY !== undefined) {
  describe('the binary', () => {
    test('does not read a .env in the folder it is started from', async () => {
      using home = folder()
      for (const name of ['.env', '.env.local', '.env.production']) {
        writeFileSync(join(home.path, name), 'SIGNUP=closed\nPORT=nonsense\n')
      }
      const { code, stdout } = await run(['config'], { cwd: home.path, env: { NODE_ENV: 'production' } })
      expect(code).toBe(0)
      expect(stdout).toContain('SIGNUP=open  # default\n')
    })

    test('does not read a bunfig.toml in the folder it is started from', async () => {
      using home = folder()
      writeFileSync(join(home.path, 'bunfig.toml'), 'preload = ["./preload.ts"]\n')
      writeFileSync(join(home.path, 'preload.ts'), 'console.log("preloaded")\n')
      const { code, stdout } = await run(['--version'], { cwd: home.path })
      expect(code).toBe(0)
      expect(stdout).not.toContain('preloaded')
    })

    test('does not take the flags of Bun', async () => {
      using home = folder()
      const { code } = await run(['-e', 'console.log(1)'], { cwd: home.path })
      expect(code).toBe(2)
    })

    test('serves from an empty folder, with nothing beside it', async () => {
      using home = folder()
      await using skep = await serve({ cwd: home.path })
      expect((await skep.call('GET', '//health/ready')).status).toBe(200)
    })
  })
}
