import ts from 'typescript'

const OPTIONS: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  types: [],
  lib: ['lib.esnext.d.ts'],
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.Preserve,
}

const host = ts.createCompilerHost(OPTIONS)
const libraries = new Map<string, ts.SourceFile | undefined>()

const library: ts.CompilerHost['getSourceFile'] = (name, options) => {
  if (!libraries.has(name)) libraries.set(name, host.getSourceFile(name, options))
  return libraries.get(name)
}

/** What the compiler says about a module. */
export const errorsIn = (source: string): readonly string[] => {
  const file = ts.createSourceFile('types.ts', source, ts.ScriptTarget.ESNext)
  const program = ts.createProgram(['types.ts'], OPTIONS, {
    ...host,
    getSourceFile: (name, options) => (name === 'types.ts' ? file : library(name, options)),
  })
  return ts.getPreEmitDiagnostics(program).map(({ messageText, start = 0 }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, '\n')
    return `${text} at ${source.slice(start, start + 200)}`
  })
}
