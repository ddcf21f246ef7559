import type { ValidationError } from 'elysia'
import {
  HttpProblem,
  type InvalidPart,
  MAX_LISTED_FAULTS_COUNT,
  type Problem,
  shortPointer,
  toProblem,
} from './problems.ts'

const PARTS: Readonly<Record<string, InvalidPart['in']>> = {
  body: 'body',
  query: 'query',
  params: 'path',
  headers: 'header',
}

interface SchemaError {
  readonly path: string
  readonly message: string
  readonly schema: { readonly expects?: unknown }
}

const describe = ({ message, schema }: SchemaError): string =>
  typeof schema.expects === 'string' ? `Expected ${schema.expects}` : message

/** What broke the schema, never the value that did. */
const brokenParts = (error: ValidationError): readonly Pick<InvalidPart, 'pointer' | 'detail'>[] => {
  const found = (error.validator as { Errors(value: unknown): Iterable<SchemaError> }).Errors(error.value)
  const broken = new Map<string, string>()
  for (const each of found) {
    // A missing property is reported twice, as absent and as of the wrong type.
    if (!broken.has(each.path)) broken.set(each.path, describe(each))
    if (broken.size === MAX_LISTED_FAULTS_COUNT) break
  }
  return [...broken].map(([pointer, detail]) => ({ pointer: shortPointer(pointer), detail }))
}

/** A request that misses its schema; null when it was our own answer. */
export const toValidationProblem = (error: ValidationError): Problem | null => {
  const part = PARTS[error.type]
  if (part === undefined) return null
  const errors = brokenParts(error).map((broken) => ({ in: part, ...broken }))
  const rest = errors.length < MAX_LISTED_FAULTS_COUNT ? '' : `; the first ${MAX_LISTED_FAULTS_COUNT} faults are listed`
  const message = `The ${part} does not have the expected form${rest}`
  return toProblem(new HttpProblem('validation_failed', message, { errors }))
}

/** What the log may hold of an answer that misses its schema: an answer can be a token. */
export const toResponseFailure = (error: ValidationError): Error =>
  new Error(`the answer misses its schema: ${JSON.stringify(brokenParts(error))}`)
