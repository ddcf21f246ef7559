import { freePort } from '../../tests/support/port.ts'
import type { Bar, Case, Context } from '../lib/case.ts'
import { spawnProgram } from '../lib/server.ts'
import { type Form, skepOptions } from '../lib/skep.ts'
import { spreadOf } from '../lib/statistics.ts'

const RUNS_COUNT = 9
const TIMEOUT_MS = 15_000
const POLL_MS = 1

const isHealthy = (url: string): Promise<boolean> =>
  fetch(url).then(
    async (response) => {
      await response.text()
      return response.status === 200
    },
    () => false,
  )

/** Milliseconds from the start of the process to its first answer, then stops it. */
const startOnce = async (form: Form, folder: string): Promise<number> => {
  const port = freePort()
  const url = `http://127.0.0.1:${port}/health`
  // Not pinned: a start is allowed all cores, as it has them in use.
  const options = { ...skepOptions(form, folder, { PORT: String(port) }), core: null }
  const from = performance.now()
  const program = spawnProgram(options)
  while (!(await isHealthy(url))) {
    if (performance.now() - from > TIMEOUT_MS) throw new Error(`no answer:\n${program.output()}`)
    await Bun.sleep(POLL_MS)
  }
  const took = performance.now() - from
  await program.stop()
  return took
}

const startOften = async (context: Context, folderOf: () => string): Promise<readonly number[]> => {
  const times: number[] = []
  for (let run = 0; run < RUNS_COUNT; run++) times.push(await startOnce(context.deployedForm, folderOf()))
  return times
}

/** From nothing to the first answered /health. */
export const coldStart: Case = {
  name: 'cold-start',
  about: 'from starting the process to the first answered /health',
  async run(context) {
    const form = context.deployedForm
    const existing = context.folder()
    // Also brings the program into the page cache, as on any machine that ran it before.
    await startOnce(form, existing)
    const inNew = await startOften(context, context.folder)
    const inExisting = await startOften(context, () => existing)
    const bar: { bar?: Bar } = form.name === 'binary' ? { bar: { of: 'value', atMost: 150 } } : {}
    const [fresh, again] = [spreadOf(inNew), spreadOf(inExisting)]
    return {
      figures: [
        { name: `${form.name}, new folder`, unit: 'ms', value: fresh.median, ...bar },
        { name: `${form.name}, existing data`, unit: 'ms', value: again.median, ...bar },
      ],
      detail: { form: form.name, runs: RUNS_COUNT, new_folder: fresh, existing_data: again },
    }
  },
}
