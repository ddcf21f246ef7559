import type { TSchema } from '@sinclair/typebox'
import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors'
import type { ValidationError } from 'elysia'
import { shortPointer } from '../../domain/errors.ts'
import { HttpProblem, type InvalidPart, MAX_LISTED_FAULTS_COUNT, type Problem, toProblem } from './problems.ts'

const PARTS: Readonly<Record<string, InvalidPart['in']>> = {
  body: 'body',
  query: 'query',
  params: 'path',
  headers: 'header',
}

type Fault = Pick<InvalidPart, 'pointer' | 'detail'>

const describe = ({ message, schema }: ValueError): string =>
  typeof schema.expects === 'string' ? `Expected ${schema.expects}` : message

const isNull = ({ type }: TSchema) => type === 'null'

/** The value of a property that is a constant in this schema. */
const constantOf = ({ properties }: TSchema, name: string): unknown => properties?.[name]?.const

/** The property whose value decides which member of a union of objects is meant; undefined if there is none. */
const discriminatorOf = (members: readonly TSchema[]): string | undefined =>
  Object.keys(members[0]?.properties ?? {}).find((name) =>
    members.every((member) => constantOf(member, name) !== undefined),
  )

/** The faults that TypeBox found; those in a union are reported for the member that was meant, where that is clear. */
const faultsIn = function* (errors: Iterable<ValueError>): Generator<Fault> {
  for (const error of errors) {
    if (error.type === ValueErrorType.Union) yield* faultsInUnion(error)
    else yield { pointer: error.path, detail: describe(error) }
  }
}

const faultsInUnion = function* (error: ValueError): Generator<Fault> {
  const { path, schema, value, errors } = error
  const members: readonly TSchema[] = schema.anyOf
  if (members.length === 2 && members.some(isNull)) {
    const other = errors[members.findIndex((member) => !isNull(member))]
    for (const fault of faultsIn(other ?? [])) {
      yield fault.pointer === path ? { ...fault, detail: `${fault.detail}, or null` } : fault
    }
    return
  }
  const name = discriminatorOf(members)
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (name === undefined || !isObject) return yield { pointer: path, detail: describe(error) }
  const given = new Map<string, unknown>(Object.entries(value)).get(name)
  const meant = errors[members.findIndex((member) => constantOf(member, name) === given)]
  if (meant === undefined) yield { pointer: `${path}/${name}`, detail: describe(error) }
  else yield* faultsIn(meant)
}

/** Describes the fault, never the value. */
const brokenParts = (error: ValidationError): readonly Fault[] => {
  const found = (error.validator as { Errors(value: unknown): Iterable<ValueError> }).Errors(error.value)
  const broken = new Map<string, string>()
  for (const { pointer, detail } of faultsIn(found)) {
    // A missing property is reported twice, as absent and as of the wrong type.
    if (!broken.has(pointer)) broken.set(pointer, detail)
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
