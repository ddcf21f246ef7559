import { type AnyElysia, Elysia } from 'elysia'
import type { EventLoopSlices } from '../../../application/ports/system.ts'
import { COLLECTIONS } from '../../../domain/collections/index.ts'
import { about, SECURITY, securitySchemes, TAGS } from './about.ts'
import { builtInPaths } from './collection.ts'
import { type Components, createComponents } from './components.ts'
import { RESPONSE_HEADERS } from './headers.ts'
import { isNode, mapValues, type Node, nodeAt } from './node.ts'
import { correctOperation } from './operation.ts'

const RAW = '/raw'

interface Options {
  readonly version: string
  readonly basePath: string
  readonly slices: EventLoopSlices
}

/** The plugin's document of the routes, created on a private instance. */
const rawDocument = async (routes: AnyElysia, slices: EventLoopSlices): Promise<Node> => {
  // Loaded for the first document, because it would make every start longer.
  const { swagger } = await import('@elysiajs/swagger')
  await slices.next()
  const host = new Elysia()
    .use(swagger({ path: '/page', specPath: RAW, excludeStaticFile: false }))
    // Otherwise every body is described three times, once for each type that Elysia can parse.
    .guard({ parse: 'json' }, (guarded) => guarded.use(routes))
  await slices.next()
  const response = await host.handle(new Request(`http://localhost${RAW}`))
  await slices.next()
  const document: unknown = await response.json()
  if (!response.ok || !isNode(document)) throw new Error('the routes could not be described')
  return document
}

const correctPaths = async (raw: Node, components: Components, slices: EventLoopSlices) => {
  const paths: Record<string, Node> = {}
  for (const [path, at] of Object.entries(nodeAt(raw, 'paths'))) {
    if (slices.isOver()) await slices.next()
    const operations = isNode(at) ? at : {}
    const get = nodeAt(operations, 'get')
    paths[path] = mapValues(operations, (operation, method) =>
      correctOperation(isNode(operation) ? operation : {}, { method, path, get }, components),
    )
  }
  return paths
}

/**
 * The OpenAPI 3.1 document of `routes` and the collections defined in code, as plain data. The plugin's own document is
 * not valid and lacks access, limits and problems; this file and those next to it correct that.
 */
export const describeRoutes = async (routes: AnyElysia, { version, basePath, slices }: Options): Promise<Node> => {
  const raw = await rawDocument(routes, slices)
  const components = createComponents()
  const paths = await correctPaths(raw, components, slices)
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
