import { Elysia } from 'elysia'
import { onFirstUse } from '../../../application/first-use.ts'
import { escapeHtml } from '../../../application/mail-templates.ts'
import { notFound } from '../../../domain/errors.ts'
import { addVary } from '../compression.ts'
import type { Kernel } from '../kernel.ts'
import { UNLIMITED } from '../rule.ts'
import { fromText, send } from '../static-content.ts'
import { icon, layout, mark, SITE_POLICY, type Site } from './layout.ts'
import style from './style.css' with { type: 'text' }
import tokens from './tokens.css' with { type: 'text' }

/** Without a leading slash, so that they also work if a proxy adds a path prefix. */
const linksOf = (basePath: string) => [
  ['console/', 'Console', 'For admins: users, collections and their records.'],
  ['docs', 'Try the API', 'Interactive documentation: sign in with Authorize and send requests.'],
  ['redoc', 'Read the API', 'Reference documentation.'],
  ['openapi.json', 'OpenAPI document', 'For client generators.'],
  ['asyncapi.json', 'AsyncAPI document', `Describes the WebSocket at ${basePath}/ws/{client_id}.`],
  ['health', 'Health', 'Whether the process is running. health/ready also checks its database and file storage.'],
]

const html = (site: Site, version: string) => {
  const app = escapeHtml(site.appName)
  const program = site.appName === 'Skep' ? `Version ${version}` : `Skep, version ${version},`
  const basePath = escapeHtml(site.basePath)
  const places = linksOf(basePath).map(
    ([path, name, about]) => `<li><a href="${path}">${name}</a> <span>${about}</span></li>`,
  )
  const open = site.appUrl === undefined ? '' : `<a class="button" href="${escapeHtml(site.appUrl)}">Open ${app}</a>`
  const content = `<div class="brand">${mark('.')}<h1>${app}</h1></div>
      <p class="quiet">This is the backend of an application. ${program} serves its API at <code>${basePath}/api/v1</code>.</p>
      ${open}
      <ul class="places">
        ${places.join('\n        ')}
      </ul>`
  return layout(site, { title: site.appName, base: '.', wide: true, content })
}

/** Whether the client accepts JSON but not HTML. */
const wantsJson = (request: Request): boolean => {
  const accepted = request.headers.get('accept') ?? ''
  return /\bjson\b/i.test(accepted) && !/\btext\/html\b/i.test(accepted)
}

/**
 * `GET /`: a page that shows what runs here, and the assets that all pages share. A client that accepts only JSON gets
 * 404.
 */
export const homeRoutes = (kernel: Kernel, site: Site, version: string) => {
  const page = onFirstUse(() => fromText(html(site, version), 'text/html; charset=utf-8'))
  const styles = onFirstUse(() => fromText(`${tokens}${style}`, 'text/css; charset=utf-8'))
  const picture = onFirstUse(() => fromText(icon(site.appName), 'image/svg+xml'))
  const hooks = { admit: UNLIMITED, detail: { hide: true } }
  return new Elysia()
    .use(kernel)
    .get(
      '/',
      ({ request, set }) => {
        addVary(set.headers, 'Accept')
        if (wantsJson(request)) throw notFound('Path')
        set.headers['content-security-policy'] = SITE_POLICY
        return send(page(), request, set.headers)
      },
      hooks,
    )
    .get('/site/style.css', ({ request, set }) => send(styles(), request, set.headers), hooks)
    .get('/site/icon.svg', ({ request, set }) => send(picture(), request, set.headers), hooks)
}
