import type { Collection } from './collection.ts'
import { KEYWORDS } from './definition-keywords.ts'
import { checkRequired, isDeeper, parseProperties, type SchemaParsing } from './definition-schema.ts'
import { jsonBytes, MAX_PATTERN_STEPS, pointerTo } from './field-checks.ts'
import { isJsonObject, type Json, type JsonObject } from './merge-patch.ts'
import type { CompilePattern } from './pattern.ts'

const MAX_SCHEMA_DEPTH = 64
const MAX_SCHEMA_BYTES = 65_536

/** The keywords of the schema of a record; each describes the record, not a value. */
const RECORD_KEYWORDS = ['type', 'title', 'description', 'properties', 'required', 'additionalProperties']

interface RecordSchema extends Pick<Collection, 'title' | 'description' | 'fields' | 'required'> {
  /** Whether a field of this name may be meant to exist, but has faults. */
  readonly isFaulty: (name: string) => boolean
}

const UNKNOWN: RecordSchema = { description: '', fields: {}, required: [], isFaulty: () => true }

const checkRecordKeywords = (node: JsonObject, parsing: SchemaParsing): void => {
  for (const [name, value] of Object.entries(node)) {
    const at = pointerTo('/schema', name)
    const keyword = KEYWORDS.get(name)
    if (name === 'type') continue
    if (keyword === undefined) parsing.refuse(at, 'This keyword is not supported')
    else if (!RECORD_KEYWORDS.includes(name)) parsing.refuse(at, 'This keyword is not supported for the record itself')
    else if (!keyword.accepts(value)) parsing.refuse(at, `Expected ${keyword.expects}`)
    else if (name === 'additionalProperties' && value === true) {
      parsing.refuse(at, 'Expected false: a record has only the fields of its schema')
    }
  }
}

const textOf = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : undefined)

/** The schema of a record. */
export const parseRecordSchema = (
  node: Json | undefined,
  compilePattern: CompilePattern,
  refuse: (pointer: string, detail: string) => void,
): RecordSchema => {
  const parsing: SchemaParsing = {
    compilePattern,
    patterns: new Map(),
    stepsPerCharacter: 0,
    patternSteps: MAX_PATTERN_STEPS,
    fieldsCount: 0,
    faultsCount: 0,
    refuse(pointer, detail) {
      parsing.faultsCount++
      refuse(pointer, detail)
    },
  }
  if (!isJsonObject(node)) {
    refuse(node === undefined ? '' : '/schema', 'Expected a schema of a record')
    return UNKNOWN
  }
  if (isDeeper(node, MAX_SCHEMA_DEPTH) || jsonBytes(node) > MAX_SCHEMA_BYTES) {
    refuse('/schema', `Expected at most ${MAX_SCHEMA_BYTES} bytes of JSON, nested at most ${MAX_SCHEMA_DEPTH} deep`)
    return UNKNOWN
  }
  if (node.type !== 'object') refuse(node.type === undefined ? '/schema' : '/schema/type', 'Expected the type object')
  checkRecordKeywords(node, parsing)
  checkRequired(node, '/schema', parsing)
  const properties = isJsonObject(node.properties) ? node.properties : {}
  const isUnreadable = node.properties !== undefined && !isJsonObject(node.properties)
  const fields = parseProperties(properties, '/schema/properties', 1, parsing)
  const title = textOf(node.title)
  return {
    ...(title === undefined ? {} : { title }),
    description: textOf(node.description) ?? '',
    fields,
    required: Array.isArray(node.required) ? node.required.filter((name) => typeof name === 'string') : [],
    isFaulty: (name) => !Object.hasOwn(fields, name) && (isUnreadable || Object.hasOwn(properties, name)),
  }
}
