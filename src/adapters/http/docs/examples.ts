import { COLLECTIONS } from '../../../domain/collections/index.ts'
import type { ProblemCode, ProblemStatus } from '../problems.ts'
import { statusPhrase } from '../status-phrase.ts'
import type { Components } from './components.ts'
import { isNode, listAt, type Node, nodeAt } from './node.ts'

const objectExample = (schema: Node, components: Components, whole: boolean): Node | undefined => {
  const required = listAt(schema, 'required')
  const entries = Object.entries(nodeAt(schema, 'properties'))
    .filter(([name]) => whole || required.includes(name))
    .map(([name, property]) => [name, exampleOf(property, components, whole)] as const)
  if (entries.some(([name, example]) => example === undefined && required.includes(name))) return undefined
  return Object.fromEntries(entries.filter(([, example]) => example !== undefined))
}

/**
 * An example value of a schema, built from the examples in it; undefined if there are none. `whole` includes optional
 * properties.
 */
export const exampleOf = (raw: unknown, components: Components, whole: boolean): unknown => {
  if (!isNode(raw)) return undefined
  const schema = components.resolve(raw)
  const given = listAt(schema, 'examples')
  if (given.length > 0) return given[0]
  const [first] = [...listAt(schema, 'enum'), ...listAt(schema, 'oneOf')]
  if ('enum' in schema) return first
  if ('oneOf' in schema) return exampleOf(first, components, whole)
  if (schema.type === 'array') return [exampleOf(schema.items, components, whole)].filter((each) => each !== undefined)
  return 'properties' in schema ? objectExample(schema, components, whole) : undefined
}

/** Example texts of a problem with this status. */
const REFUSALS: Readonly<Record<ProblemStatus, readonly [code: ProblemCode, detail: string]>> = {
  400: ['malformed_body', 'The body is not valid JSON'],
  401: ['invalid_token', 'The access token is invalid or has expired'],
  403: ['forbidden', 'Only an admin may do this'],
  404: ['not_found', 'File not found'],
  405: ['method_not_allowed', 'This path answers GET, HEAD, OPTIONS'],
  409: ['idempotency_in_progress', 'A request with this Idempotency-Key is still running'],
  412: ['version_mismatch', `The ${COLLECTIONS[0].singular} was changed meanwhile`],
  413: ['payload_too_large', 'The body is larger than 1048576 bytes'],
  415: ['unsupported_media_type', 'The body must be application/json'],
  416: ['range_not_satisfiable', 'The file has 52488 bytes'],
  421: ['misdirected_request', 'This server does not answer to that name (see ALLOWED_HOSTS)'],
  422: ['validation_failed', 'The query does not have the expected form'],
  426: ['upgrade_required', 'Connect to this path by WebSocket'],
  429: ['too_many_requests', 'Too many requests'],
  500: ['internal_error', 'Something went wrong on our side'],
  503: ['overloaded', 'The server has too many unread responses or unfinished requests'],
  507: ['quota_exceeded', 'The storage of this account is full'],
}

const isRefused = (status: string): status is `${ProblemStatus}` => status in REFUSALS

/** An example problem with this status. */
export const problemExample = (status: string): Node | undefined => {
  if (!isRefused(status)) return undefined
  const [code, detail] = REFUSALS[status]
  const errors = [{ in: 'query', pointer: '/size', detail: 'Expected an integer from 1 to 100' }]
  return {
    type: 'about:blank',
    title: statusPhrase(status),
    status: Number(status),
    detail,
    code,
    request_id: '5f0c9a52-6f0e-4c5b-9d3a-0a7c4f1e8b26',
    ...(status === '422' ? { errors } : {}),
  }
}
