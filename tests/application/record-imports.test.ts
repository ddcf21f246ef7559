import { describe, expect, test } from 'bun:test'
import type { ImportLine, ImportResult } from '../../src/application/import-results.ts'
import { codeOf } from '../support/collections.ts'
import { openShared, PAGE } from '../support/shared-lists.ts'

const linesOf = async function* (lines: readonly unknown[]) {
  for (const line of lines) yield typeof line === 'string' ? line : JSON.stringify(line)
}

describe('importing', () => {
  const importing = async (lines: readonly unknown[], isDryRun = false) => {
    const opened = await openShared()
    const admin = await opened.anAdmin()
    const done = await opened.records.importLines(admin, 'tasks', linesOf(lines), { isDryRun, idempotency: null })
    if ('replayed' in done) throw new Error('there was no key')
    return { ...opened, admin, result: done.result }
  }

  test('creates records, and lists the lines that it refuses', async () => {
    const many = Array.from({ length: 250 }, (_, n) => ({ title: `t${n}`, list: n === 200 ? 99 : 1 }))
    const { result, admin, records } = await importing([...many, 'no JSON', { title: 't1', list: 1 }, '', { title: 5 }])
    expect(result).toMatchObject({ created: 249, refused: 4 })
    expect(result.lines.map(({ line, code }) => [line, code])).toEqual([
      [201, 'validation_failed'],
      [251, 'validation_failed'],
      [252, 'not_unique'],
      [254, 'validation_failed'],
    ])
    const { page } = await records.list(admin, 'tasks', PAGE)
    expect(page.total).toBe(249)
  })

  test('accepts the output of an export, with its owners', async () => {
    const { result, admin, records, owner } = await importing([{ id: 7, version: 3, owner_id: 1, title: 'a', list: 1 }])
    expect(result).toMatchObject({ created: 1, refused: 0 })
    const { chunks } = await records.export(admin, 'tasks')
    const all = []
    for await (const chunk of chunks) all.push(...chunk)
    expect(all.map(({ title, ownerId, version }) => [title, ownerId, version])).toEqual([['a', 1, 1]])
    expect(await codeOf(records.export(owner, 'tasks'))).toBe('forbidden')
  })

  test('finds in a dry run every line that an import would refuse, however far a duplicate is from the first', async () => {
    const lines = [
      { title: 'refused', list: 99 },
      ...Array.from({ length: 250 }, (_, n) => ({ title: `t${n % 120}`, list: 1 })),
      { title: 'refused', list: 1 },
    ]
    const { result: checked } = await importing(lines, true)
    const { result: imported } = await importing(lines)
    expect(checked).toMatchObject({ created: 121, refused: 131 })
    expect({ created: imported.created, refused: imported.refused }).toEqual({ created: 121, refused: 131 })
    const reasons = ({ lines: refused }: typeof checked) => refused.map(({ line, code }) => [line, code])
    expect(reasons(checked)).toEqual(reasons(imported))
  })

  test('changes nothing in a dry run', async () => {
    const { result, admin, records } = await importing(
      [
        { title: 'a', list: 1 },
        { title: 'b', list: 99 },
      ],
      true,
    )
    expect(result).toMatchObject({ created: 1, refused: 1 })
    expect((await records.list(admin, 'tasks', PAGE)).page.items).toEqual([])
  })

  test('with one key, of two requests that began at the same time in different processes one continues', async () => {
    const { records, anAdmin } = await openShared()
    const admin = await anAdmin()
    const idempotency = {
      key: 'once',
      route: 'POST import',
      fingerprint: new Uint8Array(),
      extend: (before: Uint8Array, lines: readonly ImportLine[]) =>
        Buffer.from(`${Buffer.from(before)}${lines.map(({ text }) => text)}`),
      responseOf: (result: ImportResult) => ({ status: 200, headers: {}, body: JSON.stringify(result) }),
    }
    const all = Array.from({ length: 70 }, (_, n) => ({ title: `t${n}`, list: 1 }))
    const [isWaiting, mayGoOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const slowly = async function* () {
      yield* linesOf(all.slice(0, 60))
      isWaiting.resolve()
      await mayGoOn.promise
      yield* linesOf(all.slice(60))
    }
    const options = { isDryRun: false, idempotency }
    const slow = codeOf(records.importLines(admin, 'tasks', slowly(), options))
    await isWaiting.promise
    const fast = await records.importLines(admin, 'tasks', linesOf(all), options)
    expect(fast).toMatchObject({ result: { created: 70, refused: 0 } })
    mayGoOn.resolve()
    expect(await slow).toBe('idempotency_in_progress')
    expect((await records.list(admin, 'tasks', PAGE)).page.total).toBe(70)
    const again = await records.importLines(admin, 'tasks', linesOf(all), options)
    expect(again).toMatchObject({ replayed: { status: 200 } })
  })
})
