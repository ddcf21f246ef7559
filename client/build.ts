// Builds the package into `dist`; with a path, only the script, for pages without a bundler: `bun client/build.ts FILE`.
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'

const dist = join(import.meta.dir, 'dist')
const { outputs } = await Bun.build({
  entrypoints: [join(import.meta.dir, 'src', 'index.ts')],
  target: 'browser',
  format: 'esm',
  minify: true,
  packages: 'bundle',
})
const script = await new Blob(outputs).bytes()
const [file] = process.argv.slice(2)
if (file !== undefined) {
  await Bun.write(resolve(file), script)
  process.exit()
}
rmSync(dist, { recursive: true, force: true })
await Bun.write(join(dist, 'index.js'), script)
const tsc = Bun.spawnSync(['bun', 'x', 'tsc', '-p', join(import.meta.dir, 'tsconfig.json')], {
  stdio: ['ignore', 'inherit', 'inherit'],
})
if (tsc.exitCode !== 0) process.exit(tsc.exitCode)
// tsc keeps the names of sources in declarations, which only some versions of it find.
for (const name of new Bun.Glob('*.d.ts').scanSync(dist)) {
  const file = Bun.file(join(dist, name))
  await file.write((await file.text()).replaceAll(/(from '\.\/[^']+)\.ts'/g, "$1.js'"))
}
console.log(`dist/index.js (${Bun.gzipSync(script).length} bytes gzipped)`)
