import { statSync } from 'node:fs'
import { join, relative } from 'node:path'

const root = join(import.meta.dir, '..')
const outfile = join(root, 'dist', 'skep')

// Identifiers keep their names: Elysia reads its handlers' source text to see what they use.
const built = await Bun.build({
  // Beside the program, a thread begins with a file of its own, which is looked for beside the program, too.
  entrypoints: ['main.ts', join('adapters', 'sqlite', 'wal-worker.ts')].map((path) => join(root, 'src', path)),
  naming: { entry: '[name].[ext]' },
  format: 'esm',
  minify: { whitespace: true, syntax: true, identifiers: false },
  bytecode: true,
  // Otherwise a .env or a bunfig.toml in the folder it is started from would change what it does.
  compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
})
for (const note of built.logs) console.warn(note)

const megabytes = (statSync(outfile).size / 1e6).toFixed(0)
console.log(`${relative(process.cwd(), outfile)} (${megabytes} MB)`)
