import type { ValidationError } from 'elysia'
import { HttpProblem, type InvalidPart, type Problem, toProblem } from './problems.ts'

const MOST_ERRORS = 20

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

/** What broke the schema, never the value that did. Null when it was our own answer: then it is our failure. */
export const toValidationProblem = (error: ValidationError): Problem | null => {
  const part = PARTS[error.type]
  if (part === undefined) return null
  const found = (error.validator as { Errors(value: unknown): Iterable<SchemaError> }).Errors(error.value)
  const errors: InvalidPart[] = []
  for (const each of found) {
    // A missing property is reported twice, as absent and as of the wrong type.
    if (errors.some(({ pointer }) => pointer === each.path)) continue
    errors.push({ in: part, pointer: each.path, detail: describe(each) })
    if (errors.length === MOST_ERRORS) break
  }
  return toProblem(new HttpProblem('validation_failed', `The ${part} does not have the expected form`, { errors }))
}
