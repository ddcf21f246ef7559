import { Elysia } from 'elysia'
import { compressOnce } from '../compression.ts'
import type { Kernel } from '../kernel.ts'
import { lazy } from '../lazy.ts'
import { UNLIMITED } from '../rule.ts'
import tokens from '../site/tokens.css' with { type: 'text' }
import { type Content, contentEtag, fromLongText, fromText, send } from '../static-content.ts'
import { ASSETS, type Asset } from './assets.ts'
import { redocPage, swaggerUiPage } from './html.ts'

/**
 * Allows only the server's own scripts and styles, and no other origin. Inline styles are allowed because both pages
 * use them.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Redoc creates its own worker for the search. */
const REDOC_POLICY = `${PAGE_POLICY}; worker-src blob:`

const fromAsset = async ({ file: path, type, foreign }: Asset): Promise<Content> => {
  const file = Bun.file(path)
  // Redoc has no option to hide its vendor's logo, but hides an empty one.
  if (foreign !== undefined) return fromLongText((await file.text()).replaceAll(foreign, 'data:,'), type)
  const bytes = await file.bytes()
  const gzipped = await compressOnce(bytes)
  return { body: () => file, type, etag: contentEtag(bytes), ...(gzipped === null ? {} : { gzipped }) }
}

/** How the documents are created. */
export interface Descriptions {
  readonly openapi: () => Promise<Content>
  readonly asyncapi: () => Promise<Content>
}

interface DocsOptions {
  readonly basePath: string
  /** Who may read the documents; anyone may read the pages. */
  readonly docs: 'public' | 'admin'
}

/** `/openapi.json` and the pages that show it, and `/asyncapi.json`. Their URLs begin with `basePath`. */
export const docsRoutes = (kernel: Kernel, describe: Descriptions, { basePath, docs }: DocsOptions) => {
  const detail = { hide: true }
  const hooks = { admit: UNLIMITED, detail }
  const documentHooks = docs === 'public' ? hooks : { admit: { who: 'admin' } as const, detail }
  const swaggerUi = fromText(swaggerUiPage(basePath), 'text/html; charset=utf-8')
  const tokenStyle = fromText(tokens, 'text/css; charset=utf-8')
  const redoc = fromText(redocPage(basePath), 'text/html; charset=utf-8')

  const routes = new Elysia()
    .use(kernel)
    .get(
      '/openapi.json',
      async ({ request, set }) => send(await describe.openapi(), request, set.headers),
      documentHooks,
    )
    .get(
      '/asyncapi.json',
      async ({ request, set }) => send(await describe.asyncapi(), request, set.headers),
      documentHooks,
    )
    .get(
      '/docs',
      ({ request, set }) => {
        set.headers['content-security-policy'] = PAGE_POLICY
        return send(swaggerUi, request, set.headers)
      },
      hooks,
    )
    .get(
      '/redoc',
      ({ request, set }) => {
        set.headers['content-security-policy'] = REDOC_POLICY
        return send(redoc, request, set.headers)
      },
      hooks,
    )
  routes.get('/docs/tokens.css', ({ request, set }) => send(tokenStyle, request, set.headers), hooks)
  for (const asset of ASSETS) {
    const content = lazy(() => fromAsset(asset))
    routes.get(asset.path, async ({ request, set }) => send(await content(), request, set.headers), hooks)
  }
  return routes
}
