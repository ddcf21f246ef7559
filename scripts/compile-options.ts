/**
 * How the program is compiled, and what it is measured beside. Identifiers keep their names: Elysia reads its handlers'
 * source text to see what they use.
 */
export const compileOptions = (outfile: string) =>
  ({
    format: 'esm',
    minify: { whitespace: true, syntax: true, identifiers: false },
    bytecode: true,
    // What the entry points share is in the file once, and what is imported on first use is not loaded before.
    splitting: true,
    // Otherwise a .env or a bunfig.toml in the folder it is started from would change what it does.
    compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
  }) as const
