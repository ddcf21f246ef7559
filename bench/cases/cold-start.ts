import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../tests/support/port.ts'
import type { Bar, Case, Context, Figure } from '../lib/case.ts'
import { spawnProgram } from '../lib/server.ts'
import { type Form, runSkep, skepOptions } from '../lib/skep.ts'
import { median, spreadOf } from '../lib/statistics.ts'

const MAX_RUNS_COUNT = 9
const TIMEOUT_MS = 15_000
const POLL_MS = 1
const MANY_COLLECTIONS_COUNT = 500
const MAX_START_MS = 150

const isAnswered = (url: string): Promise<boolean> =>
  fetch(url).then(
    async (response) => {
      await response.text()
      return response.status === 200
    },
    () => false,
  )

/** Milliseconds from the start of the process to its first answer of a path, then stops it. */
const startOnce = async (form: Form, folder: string, path = '/health'): Promise<number> => {
  const port = freePort()
  const url = `http://127.0.0.1:${port}${path}`
  // Not pinned: a start is allowed all cores, as it has them in use.
  const options = { ...skepOptions(form, folder, { PORT: String(port) }), core: null }
  const from = performance.now()
  const program = spawnProgram(options)
  while (!(await isAnswered(url))) {
    if (performance.now() - from > TIMEOUT_MS) throw new Error(`no answer:\n${program.output()}`)
    await Bun.sleep(POLL_MS)
  }
  const took = performance.now() - from
  await program.stop()
  return took
}

const runsOf = ({ settings }: Context): number => Math.min(MAX_RUNS_COUNT, 2 * settings.rounds - 1)

const startOften = async (context: Context, folderOf: () => string): Promise<readonly number[]> => {
  const times: number[] = []
  for (let run = 0; run < runsOf(context); run++) times.push(await startOnce(context.deployedForm, folderOf()))
  return times
}

const nameOf = (number: number) => `things_${number}`

/** A folder with so many collections, which each have two indexes and a rule over a reference. */
const makeCollections = async ({ deployedForm, folder }: Context, count: number): Promise<string> => {
  const home = folder()
  const definitions = join(home, 'collections')
  mkdirSync(definitions)
  for (let number = 0; number < count; number++) {
    const definition = {
      name: nameOf(number),
      singular: `thing_${number}`,
      schema: {
        type: 'object',
        required: ['title'],
        properties: {
          title: { type: 'string', maxLength: 200 },
          done: { type: 'boolean', default: false },
          due_at: { type: ['string', 'null'], format: 'date-time' },
          parent: { type: ['integer', 'null'], 'x-ref': nameOf(number), 'x-on-delete': 'clear' },
        },
      },
      indexes: [{ fields: ['title'] }, { fields: ['due_at'] }],
      search: ['title'],
      rules: { read: 'record.parent == null || auth.id == record.parent.owner_id' },
    }
    await Bun.write(join(definitions, `${definition.name}.json`), JSON.stringify(definition))
  }
  await runSkep(deployedForm, ['collections', 'apply', definitions], { folder: home })
  return home
}

/** One collection and many, in turn; until the server answers at all, and until it answers what needs a definition. */
const startWithCollections = async (context: Context): Promise<readonly Figure[]> => {
  const form = context.deployedForm
  const homes = { one: await makeCollections(context, 1), many: await makeCollections(context, MANY_COLLECTIONS_COUNT) }
  for (const home of Object.values(homes)) await startOnce(form, home)
  const measure = async (name: string, path: string): Promise<Figure> => {
    const times = { one: [] as number[], many: [] as number[] }
    for (let run = 0; run < runsOf(context); run++) {
      times.one.push(await startOnce(form, homes.one, path))
      times.many.push(await startOnce(form, homes.many, path))
    }
    const [value, floor] = [median(times.many), median(times.one)]
    return {
      name,
      unit: 'ms',
      value,
      floor,
      ratio: median(times.many.map((time, run) => time / (times.one[run] ?? 0))),
    }
  }
  const name = `${form.name}, ${MANY_COLLECTIONS_COUNT} collections beside one`
  const started = await measure(name, '/health')
  const listed = await measure(`${name}, first list`, `/api/v1/collections/${nameOf(0)}/records/`)
  return [{ ...started, ...barOf(form) }, listed]
}

const barOf = (form: Form): { bar?: Bar } =>
  form.name === 'binary' ? { bar: { of: 'value', atMost: MAX_START_MS } } : {}

/** From nothing to the first answered /health. */
export const coldStart: Case = {
  name: 'cold-start',
  about: `from starting the process to the first answered /health, also with ${MANY_COLLECTIONS_COUNT} collections`,
  async run(context) {
    const form = context.deployedForm
    const existing = context.folder()
    // Also brings the program into the page cache, as on any machine that ran it before.
    await startOnce(form, existing)
    const inNew = await startOften(context, context.folder)
    const inExisting = await startOften(context, () => existing)
    const [fresh, again] = [spreadOf(inNew), spreadOf(inExisting)]
    return {
      figures: [
        { name: `${form.name}, new folder`, unit: 'ms', value: fresh.median, ...barOf(form) },
        { name: `${form.name}, existing data`, unit: 'ms', value: again.median, ...barOf(form) },
        ...(await startWithCollections(context)),
      ],
      detail: { form: form.name, runs: runsOf(context), new_folder: fresh, existing_data: again },
    }
  },
}
