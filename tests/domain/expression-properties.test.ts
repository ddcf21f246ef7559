import { expect, test } from 'bun:test'
import { Environment as Cel } from '@marcbachmann/cel-js'
import fc from 'fast-check'
import { compileExpression } from '../../src/adapters/cel/compile.ts'
import type { Collection } from '../../src/domain/collection.ts'
import type { AuthValue, Expression } from '../../src/domain/expression.ts'
import { assume, bind } from '../../src/domain/expression-binding.ts'
import { type Environment, evaluate, isTrue } from '../../src/domain/expression-evaluation.ts'
import { equalitiesOf, fieldOf, mentions, operandsOf } from '../../src/domain/expression-parts.ts'
import { parseTimestamp } from '../../src/domain/expression-time.ts'
import type { Json } from '../../src/domain/merge-patch.ts'
import type { StoredRecord } from '../../src/domain/record.ts'
import {
  callers,
  collectionNamed,
  collections,
  conditionsOf,
  type ExpressionOptions,
  NOW,
  recordsOf,
  references,
} from '../support/expressions.ts'

const compiled = (text: string, collection: Collection, use: ExpressionOptions['use']): Expression => {
  const result = compileExpression(text, { collection, use, collectionNamed })
  if ('faults' in result) throw new Error(`${text}: ${JSON.stringify(result.faults)}`)
  return result.expression
}

interface Situation {
  readonly collection: Collection
  readonly text: string
  readonly expression: Expression
  readonly auth: AuthValue | null
  readonly environment: Environment
}

const situations = (options: ExpressionOptions): fc.Arbitrary<Situation> =>
  collections.chain((collection) =>
    fc
      .tuple(conditionsOf(collection, options), recordsOf(collection), recordsOf(collection), callers, references)
      .map(([text, record, next, auth, referenced]) => ({
        collection,
        text,
        expression: compiled(text, collection, options.use),
        auth,
        environment: { record, next, auth, now: NOW, referenced },
      })),
  )

const RUNS = { numRuns: 400 }
const RULE: ExpressionOptions = { use: 'update' }

test('every well-typed condition is accepted, and yields a boolean or fails', () => {
  fc.assert(
    fc.property(situations(RULE), ({ expression, environment }) => {
      expect([true, false, null, undefined]).toContain(evaluate(expression, environment) as boolean | null | undefined)
    }),
    RUNS,
  )
})

test('a condition bound to a caller and a time is true for the same records', () => {
  fc.assert(
    fc.property(situations(RULE), ({ expression, auth, environment: { record, next, now, auth: _, ...rest } }) => {
      const bound = bind(expression, { auth, now: NOW })
      expect(mentions(bound, 'auth') || mentions(bound, 'now')).toBe(false)
      expect(isTrue(bound, { record, ...(next && { next }), ...rest })).toBe(
        isTrue(expression, { record, ...(next && { next }), ...rest, auth, now: NOW }),
      )
    }),
    RUNS,
  )
})

const NOT_LOADED = () => undefined

/** The values of fields that are scalars and no timestamps, as equalities of a filter would tell them. */
const knownFields = ({ fields }: Collection, record: StoredRecord) =>
  new Map(
    Object.entries(fields).flatMap(([name, field]) => {
      const value = record[name] ?? null
      if (typeof value === 'object' && value !== null) return []
      const timestampMs = field.format === 'date-time' && typeof value === 'string' ? parseTimestamp(value) : null
      return [[name, timestampMs === null ? value : { timestampMs }] as const]
    }),
  )

test('a condition that assumes the values of fields is true for the same records', () => {
  fc.assert(
    fc.property(situations(RULE), fc.boolean(), ({ expression, collection, environment }, isLoaded) => {
      const known = knownFields(collection, environment.record)
      const assumed = assume(expression, known, isLoaded ? environment.referenced : NOT_LOADED)
      expect(isTrue(assumed, environment)).toBe(isTrue(expression, environment))
    }),
    RUNS,
  )
})

test('binding and assuming can be combined in any order', () => {
  fc.assert(
    fc.property(situations(RULE), ({ expression, collection, auth, environment }) => {
      const known = knownFields(collection, environment.record)
      const assumed = assume(bind(expression, { auth, now: NOW }), known, environment.referenced)
      expect(isTrue(assumed, environment)).toBe(isTrue(expression, environment))
    }),
    RUNS,
  )
})

test('the fields of an equality have its value in every record that a filter finds', () => {
  fc.assert(
    fc.property(situations({ use: 'filter' }), ({ expression, collection, environment }) => {
      const bound = bind(expression, { auth: null, now: NOW })
      if (!isTrue(bound, environment)) return
      const known = knownFields(collection, environment.record)
      for (const [name, value] of equalitiesOf(bound)) {
        if (known.has(name)) expect(value).toEqual(known.get(name) ?? null)
      }
    }),
    RUNS,
  )
})

test('records that are not loaded are requested until the result is the same', () => {
  fc.assert(
    fc.property(situations(RULE), ({ expression, environment }) => {
      const loaded = new Set<string>()
      const attempt = (): boolean => {
        const missing: string[] = []
        const result = isTrue(expression, {
          ...environment,
          referenced(target, id) {
            if (loaded.has(`${target}/${id}`)) return environment.referenced(target, id)
            missing.push(`${target}/${id}`)
            return undefined
          },
        })
        for (const each of missing) loaded.add(each)
        return missing.length === 0 ? result : attempt()
      }
      expect(attempt()).toBe(isTrue(expression, environment))
    }),
    RUNS,
  )
})

const cel = new Cel({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false })

const timeOf = (value: Json | undefined) => (typeof value === 'string' ? new Date(value) : (value ?? null))

/** The record as CEL's own evaluator expects it: every field is there, and timestamps are dates. */
const forCel = ({ fields }: Collection, record: StoredRecord) => {
  const members = Object.entries(fields).map(([name, field]) => {
    const value = record[name] ?? null
    if (field.format === 'date-time') return [name, timeOf(value)]
    if (field.items?.format === 'date-time' && Array.isArray(value)) return [name, value.map(timeOf)]
    const names = field.type === 'object' ? Object.keys(field.properties ?? { city: 0, floor: 0 }) : null
    if (names === null || typeof value !== 'object' || value === null) return [name, value]
    return [name, { ...Object.fromEntries(names.map((member) => [member, null])), ...value }]
  })
  return {
    ...Object.fromEntries(members),
    id: record.id,
    owner_id: record.ownerId,
    version: record.version,
    created_at: new Date(record.createdAt),
    updated_at: new Date(record.updatedAt),
  }
}

const LITERAL = /(?:timestamp|duration)\("[^"]*"\)|"(?:[^"\\]|\\.)*"|-?\b\d+(?:\.\d+)?\b|\[[^\]]*\]/g

/** The other evaluator has types of its own for literals; as `dyn`, they are compared as members are, which it knows nothing of. */
const withoutTypes = (text: string): string =>
  text.replace(LITERAL, (literal) => {
    if (literal.startsWith('[')) return `dyn([${withoutTypes(literal.slice(1, -1))}])`
    if (literal.startsWith('timestamp') || literal.startsWith('duration')) return literal
    return `dyn(${/^-?\d+$/.test(literal) ? `${literal}.0` : literal})`
  })

/** Another evaluator's verdict; undefined if it fails. */
const verdict = ({ text, collection, auth, environment }: Situation): unknown => {
  try {
    return cel.evaluate(withoutTypes(text), {
      record: forCel(collection, environment.record),
      next: environment.next && forCel(collection, environment.next),
      auth: auth && { id: auth.id, role: auth.role, email: auth.email, email_verified: auth.emailVerified },
      now: new Date(NOW),
    })
  } catch {
    return undefined
  }
}

/**
 * Whether both evaluators mean the same. The other one orders strings by UTF-16 units, which makes a difference for U+FFEE,
 * gives the elements of an empty list a type of their own, and refuses members that a map does not have.
 */
const isShared = ({ text, environment: { record, next } }: Situation): boolean =>
  !text.includes('constructor') && !text.includes('[]') && !JSON.stringify([text, record, next]).includes('\uffee')

test('the evaluator of cel-js yields the same results', () => {
  fc.assert(
    fc.property(situations({ use: 'update', followsReferences: false, has: false }), (situation) => {
      fc.pre(isShared(situation))
      const { expression, environment } = situation
      expect(evaluate(expression, environment)).toEqual(verdict(situation) as undefined)
    }),
    RUNS,
  )
})

test('an expression has members of the record among its operands', () => {
  const parts = (expression: Expression): readonly Expression[] => [
    expression,
    ...operandsOf(expression).flatMap(parts),
  ]
  fc.assert(
    fc.property(situations({ use: 'filter' }), ({ expression }) => {
      expect(mentions(expression, 'record')).toBe(
        parts(expression).some(
          (part) => fieldOf(part) !== null || (part.kind === 'has' && part.of.kind === 'variable'),
        ),
      )
    }),
    RUNS,
  )
})
