import { ProblemResponse } from '../problem-schemas.ts'
import { statusPhrase } from '../status-phrase.ts'
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

const phraseOf = (status: string): string => (statusPhrase(status) ?? '').replace(/\W/g, '')

const problemName = (status: string): string => `${phraseOf(status)}Problem`

/** The name of a response that many operations share; null for a specific one. */
const sharedName = (status: string, content: Node): string | null => {
  if (status === '204' || status === '304') return phraseOf(status)
  if (!(PROBLEM_TYPE in content)) return null
  // An OAuth endpoint has its own error format in addition to problems.
  return Object.keys(content).length === 1 ? problemName(status) : `${phraseOf(status)}OAuthProblem`
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
    description: own ?? statusPhrase(status) ?? status,
    headers: responseHeadersOf(status, facts, { versioned, problem }),
    ...(schema === null ? {} : { content: withExamples(content, status, components) }),
  }
  // Without a rate limit, responses lack the headers of the shared ones.
  const name = facts.limited ? sharedName(status, content) : null
  return name === null ? response : components.referResponse(name, response)
}

const parameterOf = (raw: unknown, components: Components): unknown => {
  if (!isNode(raw)) return raw
  const corrected = correctSchema(raw.schema, components)
  const { description = raw.description, ...schema } = isNode(corrected) ? corrected : {}
  const about = description === undefined ? {} : { description }
  // Swagger UI fills in examples of parameters but not those of schemas, so optional parameters stay empty.
  const [example] = raw.required === true ? listAt(schema, 'examples') : []
  const filledIn = example === undefined ? {} : { example }
  return { name: raw.name, in: raw.in, required: raw.required, ...about, schema, ...filledIn }
}

const bodyOf = (raw: Node, kind: string, required: boolean, components: Components): Node => {
  const schema = correctSchema(mediaSchema(nodeAt(raw, 'content')), components)
  const example = exampleOf(schema, components, true)
  // A file has no textual example.
  const filledIn = example === undefined || kind === 'stream' ? {} : { example }
  return { required, content: { [MEDIA_TYPES[kind] ?? kind]: { schema, ...filledIn } } }
}

const SECURITY_OF: Readonly<Record<string, readonly unknown[]>> = { anyone: [], optional: OPTIONAL_SECURITY }

const failure: unknown = JSON.parse(JSON.stringify(ProblemResponse))

/** A problem as the response of an operation that is to be corrected. */
export const REFUSAL: Node = { content: { json: { schema: failure } } }

/** The location of an operation and its siblings. */
export interface Place {
  readonly method: string
  readonly path: string
  /** GET of the same path; empty when there is none. */
  readonly get: Node
}

/** The statuses with which a request can be refused before its route runs, and those of every write. */
const derivedStatuses = (method: string, raw: Node, admit: Node): readonly string[] => {
  if (!('who' in admit)) return ['400']
  const places = listAt(raw, 'parameters').map((parameter) => isNode(parameter) && parameter.in)
  const hasSchema = places.length > 0 || (admit.body !== undefined && admit.body !== 'form')
  return [
    ['400', true],
    ['401', admit.who !== 'anyone'],
    ['403', admit.who === 'admin'],
    ['404', places.includes('path')],
    ['409', admit.idempotent === true],
    ['413', admit.body !== undefined],
    ['415', admit.body !== undefined],
    ['422', hasSchema],
    ['429', admit.limit !== 'none'],
    ['503', admit.limit !== 'none'],
    ['507', method !== 'get' && method !== 'head'],
  ].flatMap(([status, possible]) => (possible ? [String(status)] : []))
}

/** Corrects one operation of the plugin's document. Its route's rule (`x-admit`) provides access, limits and body. */
export const correctOperation = (raw: Node, { method, path, get }: Place, components: Components): Node => {
  const { operationId, summary, description, tags, deprecated, requestBody } = raw
  const admit = nodeAt(raw, 'x-admit')
  const standard = admit.staticToken === true ? KEYED_SECURITY : SECURITY
  const derived = Object.fromEntries(derivedStatuses(method, raw, admit).map((status) => [status, REFUSAL]))
  // Errors of every operation: a wrong Host header, or an internal failure.
  const responses: Node = { ...derived, ...nodeAt(raw, 'responses'), 421: REFUSAL, 500: REFUSAL }
  const statuses = new Set(Object.keys(responses))
  const facts: OperationFacts = {
    path,
    statuses,
    idempotent: admit.idempotent === true,
    limited: 'who' in admit && admit.limit !== 'none',
    // HEAD has no ranges, and the same headers as GET.
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
    responses: mapValues(responses, (response, status) => {
      const make = () => responseOf(isNode(response) ? response : {}, status, facts, components)
      // A refusal depends only on its status.
      const shared = response === REFUSAL && facts.limited ? components.sharedResponse(problemName(status)) : null
      return shared ?? make()
    }),
  }
}
