import { type Context, Elysia } from 'elysia'
import type { Kernel } from './kernel.ts'
import { UNLIMITED } from './rule.ts'
import { fromText, send } from './static-content.ts'

/** How clients discover the sign-in endpoints from the server's URL (RFC 8414 section 2). */
const metadata = (issuer: string) => ({
  issuer,
  token_endpoint: `${issuer}/api/v1/auth/token`,
  revocation_endpoint: `${issuer}/api/v1/auth/revoke`,
  // Empty, because there is no authorization endpoint.
  response_types_supported: [],
  grant_types_supported: ['password', 'refresh_token'],
  // Clients do not authenticate.
  token_endpoint_auth_methods_supported: ['none'],
  revocation_endpoint_auth_methods_supported: ['none'],
  service_documentation: `${issuer}/docs`,
})

const PATH = '/.well-known/oauth-authorization-server'

/**
 * `GET /.well-known/oauth-authorization-server`, and the same followed by the path of PUBLIC_URL, where clients look for
 * an issuer with a path (RFC 8414 section 3.1). `publicUrl` is known once the server listens.
 */
export const oauthMetadataRoutes = (kernel: Kernel, publicUrl: () => string, basePath: string) => {
  const answer = ({ request, set }: Context) =>
    send(fromText(JSON.stringify(metadata(publicUrl())), 'application/json'), request, set.headers)
  const hooks = { admit: UNLIMITED, detail: { hide: true } }
  const routes = new Elysia().use(kernel).get(PATH, answer, hooks)
  if (basePath !== '') routes.get(PATH + basePath, answer, hooks)
  return routes
}
