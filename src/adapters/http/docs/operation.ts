import { STATUS_CODES } from 'node:http'
import { ProblemResponse } from '../problems.ts'
import { KEYED_SECURITY, OPTIONAL_SECURITY, PROBLEM_DESCRIPTIONS, SECURITY } from './about.ts'
import type { Components } from './components.ts'
import { exampleOf, problemExample } from './examples.ts'
import { type OperationFacts, requestHeadersOf, responseHeadersOf } from './headers.ts'
import { isNode, listAt, mapValues, type Node, nodeAt, textAt } from './node.ts'
import { contentOf, correctSchema } from './schema.ts'

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  stream: 'multipart/form-data',
}

const PROBLEM_TYPE = 'application/problem+json'

const mediaSchema = (content: Node): Node => {
  const [media] = Object.values(content)
  return isNode(media) ? nodeAt(media, 'schema') : {}
}

/** The name of an answer that many operations share; null for one of their own. */
const sharedName = (status: string, content: Node): string | null => {
  const phrase = (STATUS_CODES[status] ?? '').replace(/\W/g, '')
  if (status === '204' || status === '304') return phrase
  if (!(PROBLEM_TYPE in content)) return null
  // An endpoint of OAuth answers its own kind of error beside problems.
  return Object.keys(content).length === 1 ? `${phrase}Problem` : `${phrase}OAuthProblem`
}

const withExamples = (content: ReturnType<typeof contentOf>, status: string, components: Components): Node =>
  mapValues(content, (media, type) => {
    const schema = isNode(media) ? media.schema : {}
    const example = type === PROBLEM_TYPE ? problemExample(status) : exampleOf(schema, components, false)
    return { schema, ...(example === undefined ? {} : { example }) }
  })

/** The plugin spreads an object's keywords over the response and its schema; both together are the schema. */
const responseOf = (raw: Node, status: string, facts: OperationFacts, components: Components): Node => {
  const { content: rawContent, ...rest } = raw
  const schema = isNode(rawContent) && status !== '204' ? { ...rest, ...mediaSchema(rawContent) } : null
  const content = schema === null ? {} : contentOf(schema, components)
  const problem = PROBLEM_TYPE in content
  const versioned = !problem && 'version' in nodeAt(schema ?? {}, 'properties')
  const own = problem ? PROBLEM_DESCRIPTIONS[status] : textAt(raw, 'description')
  const response = {
    description: own ?? STATUS_CODES[status] ?? status,
    headers: responseHeadersOf(status, facts, { versioned, problem }),
    ...(schema === null ? {} : { content: withExamples(content, status, components) }),
  }
  // Where calls are not counted, no answer has the headers that the shared ones have.
  const name = facts.limited ? sharedName(status, content) : null
  return name === null ? response : components.referResponse(name, response)
}

const parameterOf = (raw: unknown, components: Components): unknown => {
  if (!isNode(raw)) return raw
  const corrected = correctSchema(raw.schema, components)
  const { description = raw.description, ...schema } = isNode(corrected) ? corrected : {}
  const about = description === undefined ? {} : { description }
  // Swagger UI fills in an example of the parameter, but none of its schema: what may be left out is left empty.
  const [example] = raw.required === true ? listAt(schema, 'examples') : []
  const filledIn = example === undefined ? {} : { example }
  return { name: raw.name, in: raw.in, required: raw.required, ...about, schema, ...filledIn }
}

const bodyOf = (raw: Node, kind: string, required: boolean, components: Components): Node => {
  const schema = correctSchema(mediaSchema(nodeAt(raw, 'content')), components)
  const example = exampleOf(schema, components, true)
  // A file cannot be written down.
  const filledIn = example === undefined || kind === 'stream' ? {} : { example }
  return { required, content: { [MEDIA_TYPES[kind] ?? kind]: { schema, ...filledIn } } }
}

const SECURITY_OF: Readonly<Record<string, readonly unknown[]>> = { anyone: [], optional: OPTIONAL_SECURITY }

const failure: unknown = JSON.parse(JSON.stringify(ProblemResponse))

/** Where an operation is, and what else is there. */
export interface Place {
  readonly path: string
  /** GET of the same path; empty when there is none. */
  readonly get: Node
}

/** One operation as the plugin gives it, corrected. The rule of its route (`x-admit`) says who may call it, how often and with which body. */
export const correctOperation = (raw: Node, { path, get }: Place, components: Components): Node => {
  const { operationId, summary, description, tags, deprecated, requestBody } = raw
  const admit = nodeAt(raw, 'x-admit')
  const standard = admit.key === true ? KEYED_SECURITY : SECURITY
  const refusal = { content: { json: { schema: failure } } }
  // What any request may meet: a Host header that is wrong or not ours, or a failure.
  const responses: Node = { 400: refusal, ...nodeAt(raw, 'responses'), 421: refusal, 500: refusal }
  const statuses = new Set(Object.keys(responses))
  const facts: OperationFacts = {
    path,
    statuses,
    idempotent: admit.idempotent === true,
    limited: 'who' in admit && admit.limit !== 'none',
    // HEAD has no parts, and says of the content what GET does.
    ranged: statuses.has('206') || (statuses.has('304') && '206' in nodeAt(get, 'responses')),
  }
  const parameters = [
    ...listAt(raw, 'parameters').map((parameter) => parameterOf(parameter, components)),
    ...requestHeadersOf(facts),
  ]
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
      responseOf(isNode(response) ? response : {}, status, facts, components),
    ),
  }
}
