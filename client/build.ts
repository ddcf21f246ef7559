import { rmSync } from 'node:fs'
import { join } from 'node:path'

const dist = join(import.meta.dir, 'dist')
rmSync(dist, { recursive: true, force: true })
await Bun.build({
  entrypoints: [join(import.meta.dir, 'src', 'index.ts')],
  outdir: dist,
  target: 'browser',
  format: 'esm',
  minify: true,
  packages: 'bundle',
})
const tsc = Bun.spawnSync(['bun', 'x', 'tsc', '-p', join(import.meta.dir, 'tsconfig.json')], {
  stdio: ['ignore', 'inherit', 'inherit'],
})
if (tsc.exitCode !== 0) process.exit(tsc.exitCode)
// tsc keeps the names of sources in declarations, which only some versions of it find.
for (const name of new Bun.Glob('*.d.ts').scanSync(dist)) {
  const file = Bun.file(join(dist, name))
  await file.write((await file.text()).replaceAll(/(from '\.\/[^']+)\.ts'/g, "$1.js'"))
}
const bytes = Bun.gzipSync(await Bun.file(join(dist, 'index.js')).bytes()).length
console.log(`dist/index.js (${bytes} bytes gzipped)`)
