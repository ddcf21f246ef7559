import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { BunPlugin } from 'bun'
import { bundleConsole, ENTRY } from '../src/adapters/http/console/bundle.ts'

const root = join(import.meta.dir, '..')
const outfile = join(root, 'dist', 'skep')
const consoleFolder = join(root, 'dist', 'console')

/** Builds the console, and replaces the module that would build it by one that has the built files inside. */
const embedConsole = async (): Promise<BunPlugin> => {
  rmSync(consoleFolder, { recursive: true, force: true })
  mkdirSync(consoleFolder, { recursive: true })
  const files = await bundleConsole()
  await Promise.all(files.map(({ name, content }) => Bun.write(join(consoleFolder, name), content)))
  const imports = files.map(({ name }, index) => {
    const path = JSON.stringify(join(consoleFolder, name))
    return `import file${index} from ${path} with { type: 'file' }`
  })
  const entries = files.map(({ name }, index) => `{ name: ${JSON.stringify(name)}, content: Bun.file(file${index}) }`)
  const contents = `${imports.join('\n')}
export const ENTRY = ${JSON.stringify(ENTRY)}
export const bundleConsole = async () => [${entries.join(', ')}]
`
  return {
    name: 'console',
    setup(build) {
      build.onLoad({ filter: /[\\/]http[\\/]console[\\/]bundle\.ts$/ }, () => ({ contents, loader: 'ts' }))
    },
  }
}

// Identifiers keep their names: Elysia reads its handlers' source text to see what they use.
const built = await Bun.build({
  // Beside the program, a thread begins with a file of its own, which is looked for beside the program, too.
  entrypoints: ['main.ts', join('adapters', 'sqlite', 'wal-worker.ts'), join('main', 'backup-worker.ts')].map((path) => join(root, 'src', path)),
  naming: { entry: '[name].[ext]' },
  format: 'esm',
  minify: { whitespace: true, syntax: true, identifiers: false },
  bytecode: true,
  plugins: [await embedConsole()],
  // Otherwise a .env or a bunfig.toml in the folder it is started from would change what it does.
  compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
})
for (const note of built.logs) console.warn(note)

const megabytes = (statSync(outfile).size / 1e6).toFixed(0)
console.log(`${relative(process.cwd(), outfile)} (${megabytes} MB)`)
