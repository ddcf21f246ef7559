import { Elysia } from 'elysia'
import type { Kernel } from '../kernel.ts'
import { UNLIMITED } from '../rule.ts'
import { SITE_POLICY, type Site } from '../site/layout.ts'
import { fromText, send } from '../static-content.ts'
import script from './page.client.js' with { type: 'text' }
import { LINK_PAGES, linkPage } from './page.ts'

/** The pages that mailed links open. The token is in the fragment and is only sent by the page's own request. */
export const linkPageRoutes = (kernel: Kernel, site: Site) => {
  const hooks = { admit: UNLIMITED, detail: { hide: true } }
  const code = fromText(script, 'text/javascript; charset=utf-8')
  const routes = new Elysia()
    .use(kernel)
    .get('/links/page.js', ({ request, set }) => send(code, request, set.headers), hooks)
    // The URL that password managers use (https://w3c.github.io/webappsec-change-password-url/).
    .get(
      '/.well-known/change-password',
      ({ set }) => {
        set.headers.location = `${site.appUrl ?? ''}/forgot-password`
        return new Response(null, { status: 302 })
      },
      hooks,
    )
  for (const page of LINK_PAGES) {
    const content = fromText(linkPage(site, page), 'text/html; charset=utf-8')
    routes.get(
      `/${page.action}`,
      ({ request, set }) => {
        set.headers['content-security-policy'] = SITE_POLICY
        return send(content, request, set.headers)
      },
      hooks,
    )
  }
  return routes
}
