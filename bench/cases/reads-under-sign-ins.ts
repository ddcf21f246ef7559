import type { Case, CaseResult, Context, Figure } from '../lib/case.ts'
import { startLoad } from '../lib/load.ts'
import { readsOf } from '../lib/reads.ts'
import { credentialsOf, signUp, startSkep } from '../lib/skep.ts'
import { median } from '../lib/statistics.ts'
import type { SignInsInput, SignInsReport } from '../loads/sign-ins.ts'

const IN_FLIGHT_COUNT = 200
const EMAIL = 'bob@example.com'

const measure = async ({ form, cores, settings, folder, progress }: Context, core: number | null) => {
  await using skep = await startSkep(form, { folder: folder(), core })
  const { token } = await signUp(skep.url)
  await signUp(skep.url, EMAIL)
  const { warmupSeconds } = settings
  const seconds = settings.rounds * settings.seconds
  const reads = (time: number) => readsOf(skep.url, token, { core: cores.load, seconds: time }).report
  await reads(warmupSeconds)
  const alone = await reads(warmupSeconds)

  const input: SignInsInput = {
    url: skep.url,
    ...credentialsOf(EMAIL),
    inFlight: IN_FLIGHT_COUNT,
    seconds: seconds + 2 * warmupSeconds,
  }
  const signIns = startLoad<SignInsReport>('sign-ins', input, { core: cores.load, seconds: input.seconds })
  // Until all are in flight.
  await Bun.sleep(warmupSeconds * 1_000)
  const during = await reads(seconds)
  const { signedIn, refused, ...rest } = await signIns.stop()
  if (signedIn === 0) throw new Error('nobody was signed in')
  const [own, quiet] = [during, alone].map(({ p99OfRounds }) => median(p99OfRounds).toFixed(1))
  progress(`p99 ${own} ms beside ${signedIn} sign-ins, ${quiet} ms alone`)
  return { alone, during, signIns: { signedIn, refused, ...rest, perSecond: signedIn / rest.seconds } }
}

const figuresOf = (where: string, { alone, during, signIns }: Awaited<ReturnType<typeof measure>>): Figure[] => [
  {
    name: `${where}, p99 of reads`,
    unit: 'ms',
    value: median(during.p99OfRounds),
    p50: { value: during.p50 },
    p99: { value: during.p99 },
    bar: { of: 'value', atMost: 50 },
  },
  { name: `${where}, p99 without sign-ins`, unit: 'ms', value: median(alone.p99OfRounds) },
  { name: `${where}, sign-ins/s`, unit: '', value: signIns.perSecond },
  { name: `${where}, sign-ins refused`, unit: '', value: signIns.refused },
]

/** Reads while passwords are checked all the time, on the cores that also have to answer. */
export const readsUnderSignIns: Case = {
  name: 'reads-under-sign-ins',
  about: `GET /api/v1/users/me at a given rate while ${IN_FLIGHT_COUNT} sign-ins are in flight`,
  async run(context): Promise<CaseResult> {
    const all = await measure(context, null)
    const figures = figuresOf('all cores', all)
    const detail = { form: context.form.name, in_flight: IN_FLIGHT_COUNT, all_cores: all }
    if (context.cores.server === null) return { figures, detail }
    const one = await measure(context, context.cores.server)
    return { figures: [...figures, ...figuresOf('one core', one)], detail: { ...detail, one_core: one } }
  },
}
