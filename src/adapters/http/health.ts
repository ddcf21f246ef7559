import { Elysia, type Static, t } from 'elysia'
import type { Check } from '../../application/ports/system.ts'
import type { Kernel } from './kernel.ts'
import { UNLIMITED } from './rule.ts'
import { choiceOf } from './schemas.ts'

const STATES = ['ok', 'degraded', 'failed'] as const
type State = (typeof STATES)[number]

const State = choiceOf(STATES, {
  title: 'CheckState',
  description: '`degraded`: this part does not work, but the process works without it and stays ready',
})
const HealthResponse = t.Object({ status: t.Literal('ok') }, { title: 'Health' })
export const ReadyResponse = t.Object(
  {
    status: State,
    checks: t.Record(t.String(), State, {
      description: 'The state of each part, by name',
      examples: [{ accepting: 'ok', database: 'ok', files: 'ok' }],
    }),
  },
  { title: 'Readiness' },
)

const stateOf = ({ run, optional }: Check): Promise<State> =>
  run().then(
    () => 'ok',
    () => (optional ? 'degraded' : 'failed'),
  )

const READY_CACHED_MS = 1_000

/** Runs each check at most once a second; concurrent callers share one run. */
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
    asks ??= checks.map((check) => (check.uncached ? () => stateOf(check) : cached(check)))
    return Promise.all(asks.map((ask) => ask()))
  }
}

export type CheckReadiness = () => Promise<Static<typeof ReadyResponse>>

/** The state of all parts, each by its name. */
export const createReadinessCheck = (checks: readonly Check[]): CheckReadiness => {
  const ready = createReadiness(checks)
  return async () => {
    const states = await ready()
    const status = STATES.findLast((state) => states.includes(state)) ?? 'ok'
    return {
      status,
      checks: Object.fromEntries(checks.map(({ name }, index) => [name, states[index] ?? 'failed'])),
    }
  }
}

export const healthRoutes = (kernel: Kernel, checkReadiness: CheckReadiness) =>
  new Elysia({ prefix: '/health', tags: ['operations'] })
    .use(kernel)
    .get('', () => ({ status: 'ok' as const }), {
      admit: UNLIMITED,
      response: { 200: HealthResponse },
      detail: {
        operationId: 'getHealth',
        summary: 'Check that the process responds',
        description: 'Responds while the process is running. No rate limit applies.',
      },
    })
    .get(
      '/ready',
      async ({ status }) => {
        const readiness = await checkReadiness()
        return status(readiness.status === 'failed' ? 503 : 200, readiness)
      },
      {
        admit: UNLIMITED,
        response: { 200: ReadyResponse, 503: ReadyResponse },
        detail: {
          operationId: 'getReadiness',
          summary: 'Check that every part works',
          description:
            '200 if the process can serve requests; 503 if a required part does not work or the server is stopping. `checks` has the state of each part. For load balancers.',
        },
      },
    )
