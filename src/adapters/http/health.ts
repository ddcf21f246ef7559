import { Elysia, t } from 'elysia'
import type { Check } from '../../application/ports/system.ts'
import type { Kernel, Rule } from './kernel.ts'
import { choiceOf } from './schemas.ts'

const STATES = ['ok', 'degraded', 'failed'] as const
type State = (typeof STATES)[number]

const State = choiceOf(STATES, {
  title: 'CheckState',
  description: '`degraded`: it does not work, and the rest does without it; the process stays ready',
})
const HealthResponse = t.Object({ status: t.Literal('ok') }, { title: 'Health' })
const ReadyResponse = t.Object(
  {
    status: State,
    checks: t.Record(t.String(), State, {
      description: 'Each part by name',
      examples: [{ accepting: 'ok', database: 'ok', files: 'ok' }],
    }),
  },
  { title: 'Readiness' },
)

const UNLIMITED: Rule = { who: 'anyone', limit: 'none' }

const stateOf = ({ run, replaced }: Check): Promise<State> =>
  run().then(
    () => 'ok',
    () => (replaced ? 'degraded' : 'failed'),
  )

const READY_CACHED_MS = 1_000

/** Asks each check at most once a second, whatever it costs; callers that come together share one look. */
export const createReadiness = (checks: readonly Check[], now: () => number = () => performance.now()) => {
  const cached = (check: Check): (() => Promise<State>) => {
    let state: Promise<State> | null = null
    let askedAt = 0
    return () => {
      if (state !== null && now() - askedAt < READY_CACHED_MS) return state
      askedAt = now()
      state = stateOf(check)
      return state
    }
  }
  let asks: readonly (() => Promise<State>)[] | null = null
  return (): Promise<readonly State[]> => {
    asks ??= checks.map((check) => (check.immediate ? () => stateOf(check) : cached(check)))
    return Promise.all(asks.map((ask) => ask()))
  }
}

export const healthRoutes = (kernel: Kernel, checks: readonly Check[]) => {
  const ready = createReadiness(checks)
  return new Elysia({ prefix: '/health', tags: ['operations'] })
    .use(kernel)
    .get('', () => ({ status: 'ok' as const }), {
      admit: UNLIMITED,
      response: { 200: HealthResponse },
      detail: {
        operationId: 'getHealth',
        summary: 'Whether the process answers',
        description: 'Answers as long as the process does. Not counted by any limit.',
      },
    })
    .get(
      '/ready',
      async ({ status }) => {
        const states = await ready()
        const worst = STATES.findLast((state) => states.includes(state)) ?? 'ok'
        const named = Object.fromEntries(checks.map(({ name }, index) => [name, states[index] ?? 'failed']))
        return status(worst === 'failed' ? 503 : 200, { status: worst, checks: named })
      },
      {
        admit: UNLIMITED,
        response: { 200: ReadyResponse, 503: ReadyResponse },
        detail: {
          operationId: 'getReadiness',
          summary: 'Whether every part works',
          description:
            '200 when requests can be served, 503 when a part that is needed does not work or the server is about to stop; `checks` tells of each part. For load balancers.',
        },
      },
    )
}
