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

/** Describes the fault, never the value. */
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

/** The problem for a request that does not match its schema; null if it was a response. */
export const toValidationProblem = (error: ValidationError): Problem | null => {
  const part = PARTS[error.type]
  if (part === undefined) return null
  const errors = brokenParts(error).map((broken) => ({ in: part, ...broken }))
  const rest = errors.length < MAX_LISTED_FAULTS_COUNT ? '' : `; the first ${MAX_LISTED_FAULTS_COUNT} faults are listed`
  const message = `The ${part} does not have the expected form${rest}`
  return toProblem(new HttpProblem('validation_failed', message, { errors }))
}

/**
 * What may be logged about a response that does not match its schema; without values, because a response can contain a
 * token.
 */
export const toResponseFailure = (error: ValidationError): Error =>
  new Error(`the response does not match its schema: ${JSON.stringify(brokenParts(error))}`)
