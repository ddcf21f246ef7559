import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { folder } from '../support/process.ts'

const RUN = join(import.meta.dir, '../../bench/run.ts')
const PEERS = join(import.meta.dir, '../../bench/peers/run.ts')
const TIMEOUT_MS = 180_000

interface Report {
  readonly cases: readonly {
    readonly name: string
    readonly figures: readonly { readonly name: string; readonly value: number | null }[]
  }[]
}

/** Runs cases with little data, for as short as they can. Their figures mean nothing. */
const run = async (cases: readonly string[]): Promise<Report['cases']> => {
  using home = folder()
  const out = join(home.path, 'report.json')
  const short = ['--records', '1500', '--rounds', '1', '--seconds', '1', '--warmup', '1', '--connections', '4']
  const options = [...short, '--out', out]
  const bench = Bun.spawn([process.execPath, RUN, ...cases, ...options], { stdout: 'pipe', stderr: 'pipe' })
  const [table, complaint, code] = await Promise.all([bench.stdout.text(), bench.stderr.text(), bench.exited])
  expect({ code, complaint: code === 0 ? '' : complaint }).toEqual({ code: 0, complaint: '' })
  for (const name of cases) expect(table).toContain(name)
  const report: Report = await Bun.file(out).json()
  return report.cases
}

const CASES = [
  'collection-others',
  'cold-start',
  // Their load comes from wrk.
  ...(Bun.which('wrk') === null ? [] : ['collection-reads', 'collection-creates']),
]

test.each(CASES)(
  'the benchmark %s runs with little data, and has figures',
  async (name) => {
    const [{ figures } = { figures: [] }] = await run([name])
    expect(figures).not.toBeEmpty()
    for (const figure of figures) expect(figure).toMatchObject({ name: expect.any(String), value: expect.any(Number) })
  },
  TIMEOUT_MS,
)

// Its load comes from wrk.
if (Bun.which('wrk') !== null)
  test(
    'the comparison with peers measures Skep beside a peer that needs no installation, and beside floors',
    async () => {
      using home = folder()
      const out = join(home.path, 'peers.json')
      const short = ['--records', '50', '--rounds', '1', '--seconds', '1', '--scratch', home.path, '--out', out]
      const command = [
        process.execPath,
        PEERS,
        '--peers',
        'Elysia',
        '--cases',
        'read,list with total,realtime,start',
        ...short,
      ]
      const bench = Bun.spawn(command, { stdout: 'pipe', stderr: 'pipe' })
      const [complaint, code] = await Promise.all([bench.stderr.text(), bench.exited])
      expect({ code, complaint: code === 0 ? '' : complaint }).toEqual({ code: 0, complaint: '' })
      const { figures, programs } = await Bun.file(out).json()
      expect(figures).toHaveLength(8)
      for (const figure of figures) {
        const floor = figure.case === 'realtime' ? { floor: expect.any(Number) } : {}
        expect(figure).toMatchObject({ ahead: { Elysia: expect.any(Number), ...floor } })
      }
      for (const figure of programs.figures) {
        expect(figure).toMatchObject({ ahead: { Bun: expect.any(Number), 'Elysia, SQLite': expect.any(Number) } })
      }
    },
    TIMEOUT_MS,
  )
