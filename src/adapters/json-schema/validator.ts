import type { CompileValidator } from '../../application/ports/collections.ts'
import { type FieldSchema, isNullable } from '../../domain/collection.ts'
import { compileCheck, MAX_VALUE_FAULTS_COUNT, newFindings } from '../../domain/field-checks.ts'
import { compileDefaults } from '../../domain/field-defaults.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import { compilePattern } from './patterns.ts'

/**
 * Checks records against the schema of a collection, in time proportional to their size. The faults are listed up to
 * {@link MAX_VALUE_FAULTS_COUNT}.
 */
export const compileValidator: CompileValidator = ({ fields, required }) => {
  const schema: FieldSchema = { type: 'object', properties: fields, required, additionalProperties: false }
  const check = compileCheck(schema, compilePattern)
  const orNull = ([name, field]: [string, FieldSchema]): [string, FieldSchema] =>
    field.default === undefined && isNullable(field) && !required.includes(name)
      ? [name, { ...field, default: null }]
      : [name, field]
  const fill = compileDefaults(Object.fromEntries(Object.entries(fields).map(orNull)))

  const faultsOf = (record: JsonObject) => {
    const findings = newFindings()
    check(record, '', findings)
    return findings.faults.slice(0, MAX_VALUE_FAULTS_COUNT)
  }

  return {
    faultsOf,
    draft(value) {
      const record = fill(value)
      const faults = faultsOf(record)
      return faults.length === 0 ? { record } : { faults }
    },
  }
}
