import { expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exposedPaths, keptSecret, makeDataDir } from '../../../src/adapters/fs/data-dir.ts'
import { temporaryFolder } from '../../support/skep.ts'

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

test('a new data folder is accessible only by its owner, and an existing one is left unchanged', () => {
  const path = join(temporaryFolder(), 'a', 'b')
  makeDataDir(path)
  expect(modeOf(path)).toBe('700')
  makeDataDir(path)
})

test('the secret is generated once, long, and readable only by its owner', () => {
  const folder = temporaryFolder()
  const secret = keptSecret(folder)
  expect(Buffer.from(secret, 'base64')).toHaveLength(48)
  expect(keptSecret(folder)).toBe(secret)
  expect(modeOf(join(folder, 'jwt-secret'))).toBe('600')
  expect(readdirSync(folder)).toEqual(['jwt-secret'])
})

test('a secret that is too short to be one is refused', () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'jwt-secret'), 'short\n')
  expect(() => keptSecret(folder)).toThrow('jwt-secret')
})

test('paths that other users can access are reported, with their mode', () => {
  const folder = join(temporaryFolder(), 'data')
  mkdirSync(folder)
  chmodSync(folder, 0o755)
  keptSecret(folder)
  expect(exposedPaths(folder)).toEqual([{ path: folder, mode: '0755' }])
  chmodSync(folder, 0o700)
  expect(exposedPaths(folder)).toEqual([])
  chmodSync(join(folder, 'jwt-secret'), 0o640)
  expect(exposedPaths(folder)).toEqual([{ path: join(folder, 'jwt-secret'), mode: '0640' }])
})
