import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { BunPlugin } from 'bun'
import { bundleConsole, ENTRY } from '../src/adapters/http/console/bundle.ts'
import { compileOptions } from './compile-options.ts'

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

/**
 * Elysia reads the mode when it is loaded. Its file is shared by several entry points and so evaluated before what they
 * import first: it has to import the module that sets the mode.
 */
const productionMode = (): BunPlugin & { isSet(): boolean } => {
  const setter = JSON.stringify(join(root, 'src', 'main', 'production-mode.ts'))
  let isSet = false
  return {
    name: 'production mode',
    setup(build) {
      build.onLoad({ filter: /[\\/]elysia[\\/]dist[\\/]error\.mjs$/ }, async ({ path }) => {
        isSet = true
        return { contents: `import ${setter}\n${await Bun.file(path).text()}`, loader: 'js' }
      })
    },
    isSet: () => isSet,
  }
}

const mode = productionMode()
const built = await Bun.build({
  // Beside the program, threads begin with files of their own, which are looked for beside the program, too.
  entrypoints: ['main.ts', 'main/serving-thread.ts', 'main/backup-worker.ts', 'adapters/sqlite/wal-worker.ts'].map(
    (path) => join(root, 'src', path),
  ),
  naming: { entry: '[name].[ext]' },
  plugins: [await embedConsole(), mode],
  ...compileOptions(outfile),
})
for (const note of built.logs) console.warn(note)
if (!mode.isSet()) throw new Error('Elysia reads its mode elsewhere')

const megabytes = (statSync(outfile).size / 1e6).toFixed(0)
console.log(`${relative(process.cwd(), outfile)} (${megabytes} MB)`)
