import { type AnyElysia, Elysia } from 'elysia'
import { COLLECTIONS } from '../../../domain/collections/index.ts'
import { about, SECURITY, securitySchemes, TAGS } from './about.ts'
import { builtInPaths } from './collection.ts'
import { createComponents } from './components.ts'
import { RESPONSE_HEADERS } from './headers.ts'
import { isNode, mapValues, type Node, nodeAt } from './node.ts'
import { correctOperation } from './operation.ts'

const RAW = '/raw'

/** The plugin's document of the routes, created on a private instance. */
const rawDocument = async (routes: AnyElysia): Promise<Node> => {
  // Loaded for the first document, because it would make every start longer.
  const { swagger } = await import('@elysiajs/swagger')
  const host = new Elysia().use(swagger({ path: '/page', specPath: RAW, excludeStaticFile: false })).use(routes)
  const response = await host.handle(new Request(`http://localhost${RAW}`))
  const document: unknown = await response.json()
  if (!response.ok || !isNode(document)) throw new Error('the routes could not be described')
  return document
}

/**
 * The OpenAPI 3.1 document of `routes` and the collections defined in code, as plain data. The plugin's own document is not valid and lacks access, limits
 * and problems; this file and those next to it correct that.
 */
export const describeRoutes = async (
  routes: AnyElysia,
  { version, basePath }: { readonly version: string; readonly basePath: string },
): Promise<Node> => {
  const raw = await rawDocument(routes)
  const components = createComponents()
  const paths = mapValues(nodeAt(raw, 'paths'), (at, path) => {
    const operations = isNode(at) ? at : {}
    const get = nodeAt(operations, 'get')
    return mapValues(operations, (operation, method) =>
      correctOperation(isNode(operation) ? operation : {}, { method, path, get }, components),
    )
  })
  for (const collection of COLLECTIONS) Object.assign(paths, builtInPaths(collection, components))
  return {
    openapi: '3.1.0',
    info: about(version),
    servers: [{ url: basePath || '/' }],
    tags: TAGS,
    security: SECURITY,
    paths,
    components: {
      schemas: components.schemas(),
      responses: components.responses(),
      headers: RESPONSE_HEADERS,
      securitySchemes: securitySchemes(basePath),
    },
  }
}
