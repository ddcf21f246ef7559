import { basename, join } from 'node:path'

/** One built file of the console. */
export interface BundledFile {
  readonly name: string
  readonly content: Blob
}

/** The files of the app that its page names. */
export const ENTRY = { script: 'main.js', style: 'main.css' } as const

/**
 * Builds the console from its sources. `scripts/build.ts` does this beforehand: in the compiled program, a module that
 * contains the built files replaces this one.
 */
export const bundleConsole = async (): Promise<readonly BundledFile[]> => {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, 'app', 'main.tsx')],
    target: 'browser',
    minify: true,
    splitting: true,
    naming: { entry: '[name].[ext]', chunk: '[name]-[hash].[ext]', asset: '[name]-[hash].[ext]' },
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  return built.outputs.map((output) => ({ name: basename(output.path), content: output }))
}
