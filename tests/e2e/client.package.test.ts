import { expect, test } from 'bun:test'
import { join, resolve } from 'node:path'
import { temporaryFolder } from '../support/skep.ts'

const MAX_GZIPPED_BYTES = 8_000
const root = resolve(import.meta.dir, '../..')
const client = join(root, 'client')

const run = async (cwd: string, ...command: readonly string[]): Promise<string> => {
  const child = Bun.spawn([...command], { cwd, stdout: 'pipe', stderr: 'pipe' })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  if ((await child.exited) !== 0) throw new Error(out + err)
  return out
}

await run(client, process.execPath, 'build.ts')
const code = join(client, 'dist', 'index.js')

test(`the package has at most ${MAX_GZIPPED_BYTES} bytes gzipped, and imports nothing`, async () => {
  const text = await Bun.file(code).text()
  expect(Bun.gzipSync(text).length).toBeLessThanOrEqual(MAX_GZIPPED_BYTES)
  expect(new Bun.Transpiler({ loader: 'js' }).scanImports(text)).toEqual([])
  const { dependencies, peerDependencies } = await Bun.file(join(client, 'package.json')).json()
  expect([dependencies, peerDependencies]).toEqual([undefined, undefined])
})

if (Bun.which('npm') !== null) {
  test('npm packs the code, its declarations, the readme and the licence', async () => {
    const folder = temporaryFolder()
    const packed = await run(client, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', folder)
    const [{ files }] = JSON.parse(packed)
    const paths: string[] = files.map(({ path }: { path: string }) => path)
    const declared = paths.filter((path) => path.endsWith('.d.ts'))
    expect(paths.filter((path) => !declared.includes(path)).sort()).toEqual([
      'LICENSE',
      'README.md',
      'dist/index.js',
      'package.json',
    ])
    expect(declared).toContain('dist/index.d.ts')
  })
}

test('a program in TypeScript uses the package, with the types of a browser alone', async () => {
  const folder = temporaryFolder()
  const options = { strict: true, noEmit: true, module: 'NodeNext', lib: ['ES2022', 'DOM'], types: [] }
  await Bun.write(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['main.mts'] }))
  await Bun.write(
    join(folder, 'main.mts'),
    `import { createClient, type Live } from 'skep-client'
interface Collections { tasks: { record: { id: number; title: string }; create: { title: string }; update: object } }
const client = createClient<Collections>({ url: location.origin, WebSocket })
const live: Live<{ title: string }> = client.collection('tasks').live({ sort: 'title' })
// @ts-expect-error the title is a text
await client.collection('tasks').create({ title: 7 })
export const titles = live.getSnapshot().map(({ title }) => title.trim())`,
  )
  await run(folder, 'mkdir', '-p', 'node_modules')
  await run(folder, 'ln', '-s', client, 'node_modules/skep-client')
  await run(folder, process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json')
})
