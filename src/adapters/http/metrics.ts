import { createHash, timingSafeEqual } from 'node:crypto'
import { Elysia, t } from 'elysia'
import type { Kernel } from './kernel.ts'
import { problems } from './problems.ts'

/** The metrics in their text format. */
export interface Exposition {
  readonly contentType: string
  expose(): Promise<string>
}

const digest = (text: string) => createHash('sha256').update(text).digest()

/** Whether a token is the metrics token; takes the same time for every token of one length. */
const isKey = (key: string | undefined): ((token: string) => boolean) => {
  if (key === undefined) return () => false
  const expected = digest(key)
  return (token) => timingSafeEqual(digest(token), expected)
}

const MetricsText = t.String({
  description: 'Metrics in Prometheus text format',
  contentMediaType: 'text/plain',
  examples: ['# TYPE skep_sockets_open gauge\nskep_sockets_open 12\n'],
})

/** `GET /metrics`, for admins and callers with `key`. */
export const metricsRoutes = (kernel: Kernel, metrics: Exposition, key: string | undefined) =>
  new Elysia({ tags: ['operations'] }).use(kernel).get(
    '/metrics',
    async ({ set }) => {
      set.headers['cache-control'] = 'no-store'
      return new Response(await metrics.expose(), { headers: { 'content-type': metrics.contentType } })
    },
    {
      admit: { who: 'admin', staticToken: isKey(key) },
      response: { 200: MetricsText, ...problems() },
      detail: {
        operationId: 'getMetrics',
        summary: 'Read metrics for Prometheus',
        description:
          'For admins, and for the bearer token in the setting `METRICS_TOKEN`, which is accepted for this route only.',
      },
    },
  )
