import { Elysia } from 'elysia'
import type { Kernel, Rule } from '../kernel.ts'
import { fromText, send } from '../static-content.ts'
import script from './page.client.js' with { type: 'text' }
import { PAGE_STYLE, resetPasswordPage, verifyEmailPage } from './page.ts'

const UNLIMITED: Rule = { who: 'anyone', limit: 'none' }

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The pages that mailed links lead to. The token stands behind the # and reaches only the call that the page makes. */
export const linkRoutes = (kernel: Kernel, basePath: string) => {
  const routes = new Elysia().use(kernel)
  const contents = {
    '/verify-email': fromText(verifyEmailPage(basePath), 'text/html; charset=utf-8'),
    '/reset-password': fromText(resetPasswordPage(basePath), 'text/html; charset=utf-8'),
    '/links/page.css': fromText(PAGE_STYLE, 'text/css; charset=utf-8'),
    '/links/page.js': fromText(script, 'text/javascript; charset=utf-8'),
  }
  for (const [path, content] of Object.entries(contents)) {
    routes.get(
      path,
      ({ request, set }) => {
        set.headers['content-security-policy'] = POLICY
        return send(content, request, set.headers)
      },
      { admit: UNLIMITED, detail: { hide: true } },
    )
  }
  return routes
}
