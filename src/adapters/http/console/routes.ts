import { Elysia } from 'elysia'
import { notFound } from '../../../domain/errors.ts'
import { compressOnce } from '../compression.ts'
import type { Kernel } from '../kernel.ts'
import { lazy } from '../lazy.ts'
import { UNLIMITED } from '../rule.ts'
import type { Site } from '../site/layout.ts'
import { type Content, contentEtag, fromText, send } from '../static-content.ts'
import { bundleConsole } from './bundle.ts'
import { CONSOLE_POLICY, consolePage } from './page.ts'

const typeOf = (name: string): string =>
  name.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8'

const toContent = async (name: string, blob: Blob): Promise<Content> => {
  const bytes = new Uint8Array(await blob.arrayBuffer())
  const gzipped = await compressOnce(bytes)
  const content = { body: () => bytes, type: typeOf(name), etag: contentEtag(bytes) }
  return gzipped === null ? content : { ...content, gzipped }
}

/**
 * The console: the files of its app, built and compressed when they are first requested, and one page for every other
 * path below `/console/`, because the app itself reads the path.
 */
export const consoleRoutes = (kernel: Kernel, site: Site) => {
  const page = fromText(consolePage(site), 'text/html; charset=utf-8')
  const files = lazy(async () => {
    const built = await bundleConsole()
    return new Map(
      await Promise.all(built.map(async ({ name, content }) => [name, await toContent(name, content)] as const)),
    )
  })
  const hooks = { admit: UNLIMITED, detail: { hide: true } }
  const routes = new Elysia().use(kernel).get(
    '/console/assets/:name',
    async ({ params, request, set }) => {
      const content = (await files()).get(params.name)
      if (content === undefined) throw notFound('File')
      return send(content, request, set.headers)
    },
    hooks,
  )
  for (const path of ['/console/', '/console/*']) {
    routes.get(
      path,
      ({ request, set }) => {
        set.headers['content-security-policy'] = CONSOLE_POLICY
        return send(page, request, set.headers)
      },
      hooks,
    )
  }
  return routes
}
