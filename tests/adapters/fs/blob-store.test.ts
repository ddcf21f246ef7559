import { expect, test } from 'bun:test'
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createFsBlobStore } from '../../../src/adapters/fs/blob-store.ts'
import { blobStoreContract, entriesOf, piecesOf } from '../../contracts/blob-store.ts'
import { temporaryFolder } from '../../support/skep.ts'

const open = async (root = join(temporaryFolder(), 'files')) => {
  const store = createFsBlobStore(root)
  await store.prepare()
  return { store, root }
}

blobStoreContract('the file system', async () => (await open()).store)

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

test('folders and files are accessible only by their owner', async () => {
  const { store, root } = await open()
  const { key } = await store.write(piecesOf('hello'))
  expect([modeOf(root), modeOf(join(root, key.slice(0, 2))), modeOf(join(root, key))]).toEqual(['700', '700', '600'])
})

test('an unfinished blob has a temporary name, and is renamed when complete', async () => {
  const { store, root } = await open()
  const files = () =>
    readdirSync(root, { recursive: true })
      .map(String)
      .filter((name) => name.includes('/'))
  const { key } = await store.write(
    (async function* () {
      yield Buffer.from('half')
      expect(files()).toEqual([expect.stringMatching(/^[0-9a-f]{2}\/[0-9a-f]{32}\.part$/)])
      yield Buffer.from('whole')
    })(),
  )
  expect(files()).toEqual([key])
})

test('foreign files in the folder are not listed as blobs', async () => {
  const { store, root } = await open()
  writeFileSync(join(root, 'notes.txt'), '')
  const { key } = await store.write(piecesOf('hello'))
  writeFileSync(join(root, key.slice(0, 2), 'notes.txt'), '')
  expect((await entriesOf(store)).map((entry) => entry.key)).toEqual([key])
})

test('it reports when its folder is gone, and makes it again', async () => {
  const { store, root } = await open()
  await store.ping()
  rmSync(root, { recursive: true })
  await expect(store.ping()).rejects.toThrow('ENOENT')
  await store.prepare()
  await store.ping()
})
