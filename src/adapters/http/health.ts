import { Elysia, t } from 'elysia'
import type { Check } from '../../application/ports/system.ts'
import type { Kernel, Rule } from './kernel.ts'
import { choiceOf } from './schemas.ts'

const STATES = ['ok', 'degraded', 'failed'] as const
type State = (typeof STATES)[number]

const State = choiceOf(STATES, {
  description: '`degraded`: it does not work, and the rest does without it; the process stays ready',
})
const HealthResponse = t.Object({ status: t.Literal('ok') }, { title: 'Health' })
const ReadyResponse = t.Object({ status: State, checks: t.Record(t.String(), State) }, { title: 'Readiness' })

const UNLIMITED: Rule = { who: 'anyone', limit: 'none' }

const stateOf = ({ run, replaced }: Check): Promise<State> =>
  run().then(
    () => 'ok',
    () => (replaced ? 'degraded' : 'failed'),
  )

export const healthRoutes = (kernel: Kernel, checks: readonly Check[]) =>
  new Elysia({ prefix: '/health', tags: ['operations'] })
    .use(kernel)
    .get('', () => ({ status: 'ok' as const }), {
      admit: UNLIMITED,
      response: { 200: HealthResponse },
      detail: { operationId: 'getHealth', summary: 'Whether the process answers' },
    })
    .get(
      '/ready',
      async ({ status }) => {
        const states = await Promise.all(checks.map(stateOf))
        const worst = STATES.findLast((state) => states.includes(state)) ?? 'ok'
        const named = Object.fromEntries(checks.map(({ name }, index) => [name, states[index] ?? 'failed']))
        return status(worst === 'failed' ? 503 : 200, { status: worst, checks: named })
      },
      {
        admit: UNLIMITED,
        response: { 200: ReadyResponse, 503: ReadyResponse },
        detail: { operationId: 'getReadiness', summary: 'Whether every part works' },
      },
    )
