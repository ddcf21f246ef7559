import { expect, test } from 'bun:test'
import { resolve } from 'node:path'
import { createClient, filter, isSkepError, memoryStorage } from '../../client/src/index.ts'
import { startClientServer } from '../support/client-server.ts'
import type { Collections } from './collections.ts'

const root = resolve(import.meta.dir, '../../client/src')
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const { url, member } = await startClientServer()
const ann = await member('ann@example.com')

/** Public functions and methods, each with the comment before it. */
const PUBLIC = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n\s*(?:export const )?(\w+)(?:<[^(]*>)?(?: = \(|\(| = <)/g
const EXAMPLE = /```ts\n([\s\S]*?)```/

interface Example {
  readonly name: string
  readonly text: string
}

const examples: Example[] = []
for (const file of ['auth', 'client', 'collection', 'errors', 'files', 'filter', 'storage']) {
  const source = await Bun.file(resolve(root, `${file}.ts`)).text()
  for (const [, comment = '', name = ''] of source.matchAll(PUBLIC)) {
    const text = EXAMPLE.exec(comment)?.[1]?.replaceAll(/^\s*\* ?/gm, '')
    if (text !== undefined) examples.push({ name: `${file}: ${name}`, text })
  }
}

const transpiler = new Bun.Transpiler({ loader: 'ts', target: 'bun', deadCodeElimination: false })
const AsyncFunction = (async () => {}).constructor as new (
  ...texts: string[]
) => (...values: unknown[]) => Promise<void>

const NAMES = ['url', 'createClient', 'filter', 'isSkepError', 'memoryStorage', 'PNG', 'fileId', 'console']

const perform = async (text: string): Promise<void> => {
  const client = createClient<Collections>({ url, storage: memoryStorage() })
  await client.auth.signIn(ann)
  const picture = new Blob([Uint8Array.from(atob(PNG), (c) => c.charCodeAt(0))])
  const { id } = await client.files.upload(picture, { filename: 'dot.png' })
  const values = [url, createClient, filter, isSkepError, memoryStorage, PNG, id, { ...console, log() {} }]
  // The transpiler only takes whole modules, which an example with its own `client` is not.
  const body = transpiler.transformSync(`export default async () => {${text}\n}`).replace('export default', 'await (')
  try {
    await new AsyncFunction(...NAMES, 'client', `${body.trim().replace(/;$/, '')})()`)(...values, client)
  } finally {
    client.close()
  }
}

for (const { name, text } of examples) test(`the example of ${name} runs`, () => perform(text))

test('every public function has an example', () => {
  expect(examples.map(({ name }) => name)).toEqual([
    'auth: signUp',
    'auth: signIn',
    'auth: signOut',
    'auth: session',
    'auth: refresh',
    'auth: onAuthChange',
    'client: collection',
    'client: batch',
    'client: subscribe',
    'client: call',
    'client: close',
    'client: createClient',
    'collection: list',
    'collection: all',
    'collection: get',
    'collection: create',
    'collection: update',
    'collection: delete',
    'collection: live',
    'errors: isSkepError',
    'files: upload',
    'files: list',
    'files: get',
    'files: download',
    'files: delete',
    'files: link',
    'files: links',
    'files: unlink',
    'filter: filter',
    'storage: memoryStorage',
  ])
})
