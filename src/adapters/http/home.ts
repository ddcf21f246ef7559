import { Elysia } from 'elysia'
import { notFound } from '../../domain/errors.ts'
import { addVary } from './compression.ts'
import type { Kernel, Rule } from './kernel.ts'
import { fromText, send } from './static-content.ts'

const UNLIMITED: Rule = { who: 'anyone', limit: 'none' }

const STYLE = `
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
main { max-width: 36rem; margin: 12vh auto; padding: 0 1rem }
dt { margin-top: 1rem } dd { margin: 0; opacity: 0.8 }
`

const STYLE_HASH = new Bun.CryptoHasher('sha256').update(STYLE).digest('base64')

const POLICY = [
  "default-src 'none'",
  "img-src 'self'",
  `style-src 'sha256-${STYLE_HASH}'`,
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Without a leading slash, so that they lead to the right place behind a path of a proxy too. */
const PLACES = [
  ['docs', 'Try the API', 'every call, with forms to fill in; Authorize signs in'],
  ['redoc', 'Read the API', 'the same as a reference'],
  ['openapi.json', 'OpenAPI document', 'for generators of clients'],
  ['asyncapi.json', 'AsyncAPI document', 'the WebSocket at /ws/{client_id}'],
  ['health', 'Health', 'whether the process answers; health/ready tells whether every part works'],
] as const

const html = (version: string) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Skep</title>
    <link rel="icon" type="image/png" href="docs/favicon.png">
    <style>${STYLE}</style>
  </head>
  <body>
    <main>
      <h1>Skep</h1>
      <p>The backend of an application, version ${version}, runs here. Its API is at <code>/api/v1</code>.</p>
      <dl>
        ${PLACES.map(([path, name, about]) => `<dt><a href="${path}">${name}</a></dt><dd>${about}</dd>`).join('\n        ')}
      </dl>
    </main>
  </body>
</html>
`

/** Whether a client that names what it takes wants JSON and no page. */
const wantsJson = (request: Request): boolean => {
  const accepted = request.headers.get('accept') ?? ''
  return /\bjson\b/i.test(accepted) && !/\btext\/html\b/i.test(accepted)
}

/** `GET /`: a page that says what runs here. A client of the API, which asks for JSON, is told that it is no call. */
export const homeRoutes = (kernel: Kernel, version: string) => {
  const page = fromText(html(version), 'text/html; charset=utf-8')
  return new Elysia().use(kernel).get(
    '/',
    ({ request, set }) => {
      addVary(set.headers, 'Accept')
      if (wantsJson(request)) throw notFound('Path')
      set.headers['content-security-policy'] = POLICY
      return send(page, request, set.headers)
    },
    { admit: UNLIMITED, detail: { hide: true } },
  )
}
