import type { CompileValidator } from '../../application/ports/collections.ts'
import { type FieldSchema, isNullable } from '../../domain/collection.ts'
import { compileCheck, MAX_VALUE_FAULTS_COUNT, newFindings, withDefaults } from '../../domain/field-checks.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import { compilePattern } from './patterns.ts'

/**
 * Checks records against the schema of a collection, in time proportional to their size. The faults are listed up to
 * {@link MAX_VALUE_FAULTS_COUNT}.
 */
export const compileValidator: CompileValidator = ({ fields, required }) => {
  const schema: FieldSchema = { type: 'object', properties: fields, required, additionalProperties: false }
  const check = compileCheck(schema, compilePattern)
  const nullable = Object.entries(fields).filter(([, field]) => isNullable(field))

  const faultsOf = (record: JsonObject) => {
    const findings = newFindings()
    check(record, '', findings)
    return findings.faults.slice(0, MAX_VALUE_FAULTS_COUNT)
  }

  return {
    faultsOf,
    draft(value) {
      const filled = withDefaults(fields, value)
      for (const [name] of nullable) {
        if (!Object.hasOwn(filled, name) && !required.includes(name)) filled[name] = null
      }
      const faults = faultsOf(filled)
      return faults.length === 0 ? { record: filled } : { faults }
    },
  }
}
