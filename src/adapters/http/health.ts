import { Elysia, t } from 'elysia'
import type { Kernel, Rule } from './kernel.ts'

export interface Check {
  readonly name: string
  /** Rejects while this part does not work. */
  readonly run: () => Promise<void>
}

const State = t.Union([t.Literal('ok'), t.Literal('failed')])
const HealthResponse = t.Object({ status: t.Literal('ok') }, { title: 'Health' })
const ReadyResponse = t.Object({ status: State, checks: t.Record(t.String(), State) }, { title: 'Readiness' })

const UNLIMITED: Rule = { who: 'anyone', limit: 'none' }

const passes = (check: Check): Promise<boolean> =>
  check.run().then(
    () => true,
    () => false,
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
        const results = await Promise.all(checks.map(passes))
        const states = results.map((passed) => (passed ? ('ok' as const) : ('failed' as const)))
        const ready = results.every((passed) => passed)
        const named = Object.fromEntries(checks.map(({ name }, index) => [name, states[index] ?? ('failed' as const)]))
        return status(ready ? 200 : 503, { status: ready ? ('ok' as const) : ('failed' as const), checks: named })
      },
      {
        admit: UNLIMITED,
        response: { 200: ReadyResponse, 503: ReadyResponse },
        detail: { operationId: 'getReadiness', summary: 'Whether every part works' },
      },
    )
