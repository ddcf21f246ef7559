import { expect, test } from 'bun:test'
import { posix } from 'node:path'
import { Glob } from 'bun'
import ts from 'typescript'

const SHARED_BY: Readonly<Record<string, readonly string[]>> = { sql: ['sqlite', 'postgres'] }

/** Every module a file names: `import`, `import type`, `export … from`, `import()`, `import('…')` in a type, `require`. */
const importsOf = (source: string): readonly string[] => {
  const { importedFiles } = ts.preProcessFile(source, true, true)
  if (!/\bimport\s*\(/.test(source)) return [...new Set(importedFiles.map((file) => file.fileName))]
  const inTypes: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
      inTypes.push(node.argument.literal.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('file.ts', source, ts.ScriptTarget.ESNext))
  return [...new Set([...importedFiles.map((file) => file.fileName), ...inTypes])]
}

/** `client/`, beside `src/`. */
const CLIENT = '..'

const roomOf = (path: string): string => {
  const [first = '', second = ''] = path.split('/')
  return first === 'adapters' ? `adapters/${second}` : first.replace(/\.ts$/, '')
}

/** Whether a file in `from` may name a module in `to`; `to` is null for a package, `bun:` or `node:`. */
const mayImport = (from: string, to: string | null): boolean => {
  // The composition root: `main.ts`, and `main/` beside it.
  if (from === 'main') return true
  if (to === null) return from.startsWith('adapters/')
  // The client is a package of its own, which the console uses.
  if (to === CLIENT) return from === 'adapters/http'
  if (from === 'domain') return to === 'domain'
  if (from === 'application') return to === 'domain' || to === 'application'
  const shared = SHARED_BY[to.replace('adapters/', '')] ?? []
  return to === 'domain' || to === 'application' || to === from || shared.includes(from.replace('adapters/', ''))
}

const breaches = (path: string, source: string): readonly string[] =>
  importsOf(source).flatMap((name) => {
    const target = name.startsWith('.') ? posix.join(posix.dirname(path), name) : null
    return mayImport(roomOf(path), target === null ? null : roomOf(target)) ? [] : [`${path} imports ${name}`]
  })

const root = `${import.meta.dir}/../src`
const sources = new Map<string, string>()
for await (const path of new Glob('**/*.{ts,tsx}').scan(root))
  sources.set(path, await Bun.file(`${root}/${path}`).text())

test('imports point inward', () => {
  expect([...sources].flatMap(([path, source]) => breaches(path, source))).toEqual([])
})

test('only tests of the second command start programs, browsers and services', async () => {
  const outside =
    /support\/(browser|clients|cluster|cluster-load|disk|generators|postgres|postgres-store|process|redis|s3|services)\.ts$/
  const second = /^(e2e|adapters\/(postgres|redis|s3))\//
  const forbidden: string[] = []
  for await (const path of new Glob('**/*.test.ts').scan(import.meta.dir)) {
    if (second.test(path)) continue
    const names = importsOf(await Bun.file(`${import.meta.dir}/${path}`).text())
    forbidden.push(...names.filter((name) => outside.test(name)).map((name) => `${path} imports ${name}`))
  }
  expect(forbidden).toEqual([])
})

test('no file imports itself by way of others', () => {
  const circles: string[] = []
  const done = new Set<string>()
  const follow = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
    if (trail.includes(path) || done.has(path)) return
    for (const name of importsOf(sources.get(path) ?? '')) {
      const target = posix.join(posix.dirname(path), name)
      if (name.startsWith('.') && sources.has(target)) follow(target, [...trail, path])
    }
    done.add(path)
  }
  for (const path of sources.keys()) follow(path, [])
  expect(circles).toEqual([])
})

test.each([
  ["import { Elysia } from 'elysia'", 'domain/user.ts'],
  ["import type { Database } from 'bun:sqlite'", 'application/users.ts'],
  ["import { type Log } from '../adapters/console/log.ts'", 'application/users.ts'],
  ["export * from '../application/users.ts'", 'domain/user.ts'],
  ["const load = () => import('../adapters/http/api.ts')", 'application/users.ts'],
  ["type Api = import('../adapters/http/api.ts').Api", 'application/users.ts'],
  ["const fs = require('node:fs')", 'domain/user.ts'],
  ["import { createApi } from '../http/api.ts'", 'adapters/cli/program.ts'],
  ["import { start } from '../../main.ts'", 'adapters/cli/program.ts'],
  ["import { engineOf } from '../../main/choices.ts'", 'adapters/cli/program.ts'],
])('the rule sees %p in %s', (source, path) => {
  expect(breaches(path, source)).toHaveLength(1)
})

test('the composition root may see everything', () => {
  const source = "import { createApi } from '../adapters/http/api.ts'; import { join } from 'node:path'"
  expect(breaches('main/choices.ts', source)).toEqual([])
})

test('engines of one kind may share the modules of their common folder', () => {
  expect(breaches('adapters/sqlite/users.ts', "import { x } from '../sql/pages.ts'")).toEqual([])
  expect(breaches('adapters/http/users.ts', "import { x } from '../sql/pages.ts'")).toHaveLength(1)
})
