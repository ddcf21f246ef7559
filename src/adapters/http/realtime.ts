import { Elysia, t } from 'elysia'
import { AppError } from '../../domain/errors.ts'
import type { Visitor } from '../../domain/session.ts'
import { bearerToken } from './admission.ts'
import type { Kernel } from './kernel.ts'
import { HttpProblem } from './problems.ts'

/** Takes over upgraded connections. */
export interface RealtimeUpgrade {
  /** Data for the socket; `token` is the verified access token of the request, whose id and address are `origin`. */
  connect(clientId: string, token: string | null, origin: Pick<Visitor, 'requestId' | 'address'>): object
}

export interface RealtimeOptions {
  /** Upgrades the connection; false if the request is not a valid upgrade. */
  readonly upgrade: (request: Request, carried: { data: object; headers: Headers }) => boolean
  /** Base of links. */
  readonly publicUrl: () => string
  readonly corsOrigins: '*' | readonly string[]
}

const originOf = (url: string): string | null => (URL.canParse(url) ? new URL(url).origin : null)

/** Whether a page from `origin` may connect, because browsers send no preflight for WebSockets. */
const isAllowedOrigin = (
  origin: string,
  host: string | null,
  { publicUrl, corsOrigins }: Pick<RealtimeOptions, 'publicUrl' | 'corsOrigins'>,
): boolean => {
  if (corsOrigins === '*' || corsOrigins.includes(origin) || origin === originOf(publicUrl())) return true
  return host !== null && (origin === originOf(`http://${host}`) || origin === originOf(`https://${host}`))
}

const ClientId = t.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', expects: '1 to 64 of A-Z a-z 0-9 _ -' })

const headersOf = (headers: Readonly<Record<string, unknown>>): Headers => {
  const result = new Headers()
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) result.set(name, String(value))
  return result
}

/** `GET /ws/{client_id}`: upgrades from HTTP to realtime. Errors are sent before the upgrade, as problems. */
export const realtimeRoutes = (kernel: Kernel, realtime: RealtimeUpgrade, options: RealtimeOptions) => {
  const checkOrigin = (request: Request): void => {
    const origin = request.headers.get('origin')
    if (origin === null || isAllowedOrigin(origin, request.headers.get('host'), options)) return
    throw new AppError('forbidden', 'Pages of this origin may not connect')
  }
  return new Elysia().use(kernel).get(
    '/ws/:client_id',
    ({ call, params, request, set, addressOf }) => {
      call.address ??= addressOf(request)
      const origin = { requestId: call.id, address: call.address }
      const data = realtime.connect(params.client_id, bearerToken(request), origin)
      // Bun would select the first offered subprotocol, but the server supports none.
      request.headers.delete('sec-websocket-protocol')
      if (!options.upgrade(request, { data, headers: headersOf(set.headers) })) {
        throw new HttpProblem('upgrade_required', 'Connect to this path by WebSocket', {
          headers: { upgrade: 'websocket', connection: 'upgrade' },
        })
      }
      set.status = 101
    },
    {
      admit: { who: (_principal, request) => checkOrigin(request) },
      params: t.Object({ client_id: ClientId }),
      detail: { hide: true },
    },
  )
}
