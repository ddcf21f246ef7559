import { expect, test } from 'bun:test'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startSkep, temporaryFolder } from './support/skep.ts'
import { embeddedOnly } from './support/stack.ts'

test('a failed start releases the database for the next one', async () => {
  const DATA_DIR = temporaryFolder()
  const secret = join(DATA_DIR, 'jwt-secret')
  writeFileSync(secret, 'short')
  await expect(startSkep({ DATA_DIR, ...embeddedOnly })).rejects.toThrow('jwt-secret')
  rmSync(secret)
  const next = await startSkep({ DATA_DIR, ...embeddedOnly })
  expect((await next.call('GET', '//health/ready')).status).toBe(200)
})

test('two servers cannot open one embedded database', async () => {
  const DATA_DIR = temporaryFolder()
  await startSkep({ DATA_DIR, ...embeddedOnly })
  await expect(startSkep({ DATA_DIR, ...embeddedOnly })).rejects.toThrow('another server has')
})
