import { processorTime } from '../../tests/support/resources.ts'
import type { Case } from '../lib/case.ts'
import { startLoad } from '../lib/load.ts'
import { signIn, signUp, startSkep } from '../lib/skep.ts'
import { spreadOf } from '../lib/statistics.ts'
import type { RefreshesInput, RefreshesReport } from '../loads/refreshes.ts'

const EMAIL = 'ann@example.com'

/** Sessions that each exchange their refresh token for the next, every exchange on the disk before it is answered. */
export const refresh: Case = {
  name: 'refresh',
  about: 'refresh grants, one chain of them a session',
  async run({ form, cores, settings, folder }) {
    await using skep = await startSkep(form, { folder: folder(), core: cores.server })
    await signUp(skep.url, EMAIL)
    const opened = Array.from({ length: settings.connections }, () => signIn(skep.url, EMAIL))
    const tokens = (await Promise.all(opened)).map((pair) => pair.refresh_token)

    const { warmupSeconds, rounds, seconds } = settings
    const input: RefreshesInput = { url: skep.url, tokens, warmupSeconds, rounds, seconds }
    const load = startLoad<RefreshesReport>('refreshes', input, {
      core: cores.load,
      seconds: warmupSeconds + rounds * seconds,
    })
    await Bun.sleep(warmupSeconds * 1_000)
    const [before, from] = [processorTime(skep.pid), performance.now()]
    await Bun.sleep(rounds * seconds * 1_000)
    const busy = (processorTime(skep.pid) - before) / ((performance.now() - from) / 1_000)
    const report = await load.report
    const perSecond = spreadOf(report.perSecond)
    return {
      figures: [
        {
          name: 'refreshes/s',
          unit: '',
          value: perSecond.median,
          p50: { value: report.p50 },
          p99: { value: report.p99 },
          bar: { of: 'value', atLeast: 2_000 },
        },
      ],
      detail: { form: form.name, chains: tokens.length, per_second: perSecond, server_cores_used: busy, ...report },
    }
  },
}
