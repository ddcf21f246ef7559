import { STATUS_CODES } from 'node:http'
import { ProblemResponse } from '../problems.ts'
import { KEYED_SECURITY, OPTIONAL_SECURITY, PROBLEM_DESCRIPTIONS, SECURITY } from './about.ts'
import type { Components } from './components.ts'
import { isNode, listAt, mapValues, type Node, nodeAt, textAt } from './node.ts'
import { contentOf, correctSchema } from './schema.ts'

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  stream: 'multipart/form-data',
}

const PROBLEM_TYPE = 'application/problem+json'

/** Statuses whose refusal says when the same call may succeed. */
const RETRIED = new Set(['429', '503', '507'])

const LIMIT_HEADERS = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset']

const headersOf = (status: string, content: Node, limited: boolean): Node => {
  const names = [
    'X-Request-Id',
    ...(limited ? LIMIT_HEADERS : []),
    ...(status === '201' ? ['Location'] : []),
    ...(status === '206' || status === '416' ? ['Content-Range'] : []),
    ...(status === '401' ? ['WWW-Authenticate'] : []),
    ...(RETRIED.has(status) && PROBLEM_TYPE in content ? ['Retry-After'] : []),
  ]
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

const mediaSchema = (content: Node): Node => {
  const [media] = Object.values(content)
  return isNode(media) ? nodeAt(media, 'schema') : {}
}

/** The plugin spreads an object's keywords over the response and its schema; both together are the schema. */
const responseOf = (raw: Node, status: string, limited: boolean, components: Components): Node => {
  const { content, ...rest } = raw
  const schema = isNode(content) && status !== '204' ? { ...rest, ...mediaSchema(content) } : null
  const media = schema === null ? {} : contentOf(schema, components)
  const own = PROBLEM_TYPE in media ? PROBLEM_DESCRIPTIONS[status] : textAt(raw, 'description')
  return {
    description: own ?? STATUS_CODES[status] ?? status,
    headers: headersOf(status, media, limited),
    ...(schema === null ? {} : { content: media }),
  }
}

const parameterOf = (raw: unknown, components: Components): unknown => {
  if (!isNode(raw)) return raw
  const corrected = correctSchema(raw.schema, components)
  const { description = raw.description, ...schema } = isNode(corrected) ? corrected : {}
  const about = description === undefined ? {} : { description }
  return { name: raw.name, in: raw.in, required: raw.required, ...about, schema }
}

const bodyOf = (raw: Node, kind: string, required: boolean, components: Components): Node => ({
  required,
  content: { [MEDIA_TYPES[kind] ?? kind]: { schema: correctSchema(mediaSchema(nodeAt(raw, 'content')), components) } },
})

const SECURITY_OF: Readonly<Record<string, readonly unknown[]>> = { anyone: [], optional: OPTIONAL_SECURITY }

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Sent again with the same key within 24 hours, the same request takes effect once and is answered alike',
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
}

const failure: unknown = JSON.parse(JSON.stringify(ProblemResponse))

/** One operation as the plugin gives it, corrected. What its route admits (`x-admit`) tells who, how often and what. */
export const correctOperation = (raw: Node, components: Components): Node => {
  const { operationId, summary, description, tags, deprecated, requestBody } = raw
  const admit = nodeAt(raw, 'x-admit')
  const standard = admit.key === true ? KEYED_SECURITY : SECURITY
  const limited = 'who' in admit && admit.limit !== 'none'
  const refusal = { content: { json: { schema: failure } } }
  // What any request may meet: a Host header that is wrong or not ours, or a failure.
  const responses: Node = { 400: refusal, ...nodeAt(raw, 'responses'), 421: refusal, 500: refusal }
  const parameters = listAt(raw, 'parameters').map((parameter) => parameterOf(parameter, components))
  if (admit.idempotent === true) parameters.push(IDEMPOTENCY_KEY)
  return {
    operationId,
    ...(tags === undefined ? {} : { tags }),
    ...(summary === undefined ? {} : { summary }),
    ...(description === undefined ? {} : { description }),
    ...(deprecated === undefined ? {} : { deprecated }),
    security: SECURITY_OF[textAt(admit, 'who') ?? ''] ?? standard,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(isNode(requestBody)
      ? {
          requestBody: bodyOf(requestBody, textAt(admit, 'body') ?? 'json', admit.bodyOptional !== true, components),
        }
      : {}),
    responses: mapValues(responses, (response, status) =>
      responseOf(isNode(response) ? response : {}, status, limited, components),
    ),
  }
}
