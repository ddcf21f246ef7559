import { residentMegabytes } from '../../tests/support/resources.ts'
import type { Case } from '../lib/case.ts'
import { signUp, startSkep } from '../lib/skep.ts'
import { spreadOf } from '../lib/statistics.ts'

const RUNS_COUNT = 3
const SETTLE_MS = 2_000
const REQUESTS_COUNT = 1_000
const MAX_CONCURRENT_COUNT = 20

const readOften = async (url: string, token: string): Promise<void> => {
  const one = async () => {
    const response = await fetch(`${url}/api/v1/users/me`, { headers: { authorization: `Bearer ${token}` } })
    await response.text()
    if (response.status !== 200) throw new Error(`/users/me answered ${response.status}`)
  }
  for (let sent = 0; sent < REQUESTS_COUNT; sent += MAX_CONCURRENT_COUNT)
    await Promise.all(Array.from({ length: MAX_CONCURRENT_COUNT }, one))
}

/** What the process holds while nobody asks anything of it. */
export const idleMemory: Case = {
  name: 'idle-memory',
  about: 'resident memory after the start, and after 1000 requests',
  async run(context) {
    const form = context.deployedForm
    const idle: number[] = []
    const used: number[] = []
    for (let run = 0; run < RUNS_COUNT; run++) {
      await using skep = await startSkep(form, { folder: context.folder(), core: null })
      await Bun.sleep(SETTLE_MS)
      idle.push(residentMegabytes(skep.pid))
      const { token } = await signUp(skep.url)
      await readOften(skep.url, token)
      await Bun.sleep(SETTLE_MS)
      used.push(residentMegabytes(skep.pid))
    }
    const [before, after] = [spreadOf(idle), spreadOf(used)]
    return {
      figures: [
        { name: `${form.name}, idle`, unit: 'MB', value: before.median, bar: { of: 'value', atMost: 90 } },
        { name: `${form.name}, after ${REQUESTS_COUNT} requests`, unit: 'MB', value: after.median },
      ],
      detail: { form: form.name, runs: RUNS_COUNT, idle: before, after_requests: after },
    }
  },
}
