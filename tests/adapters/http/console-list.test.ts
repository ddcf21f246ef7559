import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createLongList } from '../../../src/adapters/http/console/app/long-list.ts'

const PAGE_SIZE = 4
/** Rows that fit on the screen. */
const WINDOW_COUNT = 6

/** Rows in descending order, in pages by cursor, as the API answers them. */
const createServer = (initial: readonly number[], isSparse = false) => {
  const rows = new Set(initial)
  const sorted = () => [...rows].sort((one, other) => other - one)
  let reads = 0
  return {
    rows,
    sorted,
    reads: () => reads,
    read: async (cursor: string | null) => {
      reads++
      await Promise.resolve()
      const rest = cursor === null ? sorted() : sorted().filter((row) => row < Number(cursor))
      const items = rest.slice(0, PAGE_SIZE)
      const last = items.at(-1)
      // A search may find nothing within its limits and go on after that.
      if (isSparse && reads % 3 === 0 && last !== undefined) {
        return { items: [], total: null, next_cursor: String((rest[0] ?? 0) + 0.5) }
      }
      return { items, total: rows.size, next_cursor: rest.length > PAGE_SIZE ? String(last) : null }
    },
  }
}

const createShown = (server: ReturnType<typeof createServer>) => {
  let resolve: (() => void) | null = null
  const list = createLongList<number>({
    read: server.read,
    onChange: () => {
      if (!list.view().isReading) resolve?.()
    },
  })
  /** Shows rows, and resolves when everything about them has been read. */
  const show = async (from: number, to = from + WINDOW_COUNT) => {
    const { promise, resolve: settle } = Promise.withResolvers<void>()
    resolve = settle
    list.show(from, to)
    if (list.view().isReading) await promise
  }
  return { list, show }
}

/** Scrolls from the first row to the last. */
const scrollThrough = async ({ list, show }: ReturnType<typeof createShown>): Promise<readonly (number | null)[]> => {
  const seen: (number | null)[] = []
  for (let from = 0; from === 0 || !list.view().isComplete || from < list.view().count; from += WINDOW_COUNT) {
    await show(from)
    const { at, count } = list.view()
    for (let index = from; index < Math.min(count, from + WINDOW_COUNT); index++) seen.push(at(index))
  }
  return seen
}

test('a list that is scrolled through shows every row once, and reads each page once', async () => {
  const server = createServer(Array.from({ length: 203 }, (_, row) => row))
  expect(await scrollThrough(createShown(server))).toEqual(server.sorted())
  expect(server.reads()).toBe(Math.ceil(203 / PAGE_SIZE))
})

test('rows far from what is shown are dropped, and read again when they are shown', async () => {
  const server = createServer(Array.from({ length: 400 }, (_, row) => row))
  const shown = createShown(server)
  await scrollThrough(shown)
  expect(shown.list.view().at(0)).toBeNull()
  expect(shown.list.view().count).toBe(400)
  await shown.show(0)
  expect(shown.list.view().at(0)).toBe(399)
})

test('pages without rows are skipped', async () => {
  const server = createServer(
    Array.from({ length: 60 }, (_, row) => row),
    true,
  )
  expect(await scrollThrough(createShown(server))).toEqual(server.sorted())
})

test('a failure stops the reading until the list is refreshed', async () => {
  const server = createServer([1])
  let isDown = true
  const read = async (cursor: string | null) => {
    const page = await server.read(cursor)
    if (isDown) throw new Error('down')
    return page
  }
  const { list, show } = createShown({ ...server, read })
  await show(0)
  await show(1)
  expect([list.view().error?.message, server.reads()]).toEqual(['down', 1])
  isDown = false
  list.refresh()
  await show(0)
  expect([list.view().error, list.view().at(0)]).toEqual([null, 1])
})

const row = fc.integer({ min: 0, max: 200 })
const step = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), row }),
  fc.record({ kind: fc.constant('remove' as const), row }),
  fc.record({ kind: fc.constant('show' as const), row }),
  fc.record({ kind: fc.constant('refresh' as const), row }),
)

test('whatever is added and removed meanwhile, a refreshed list shows the rows that exist', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(row, { maxLength: 120 }),
      fc.array(step, { maxLength: 40 }),
      async (rows, steps) => {
        const server = createServer(rows)
        const shown = createShown(server)
        await shown.show(0)
        for (const { kind, row: each } of steps) {
          if (kind === 'add') server.rows.add(each)
          else if (kind === 'remove') server.rows.delete(each)
          else if (kind === 'show') await shown.show(Math.min(each, shown.list.view().count))
          else shown.list.refresh()
        }
        shown.list.refresh()
        await shown.show(0)
        expect(await scrollThrough(shown)).toEqual(server.sorted())
      },
    ),
    { numRuns: 200 },
  )
})
