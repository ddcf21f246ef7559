import { type TSchema, Type } from '@sinclair/typebox'
import { LEFT } from '../../application/view-changes.ts'
import {
  type Collection,
  eventName,
  type FieldSchema,
  isNullable,
  RECORD_CHANGES,
  titleOf,
  typeOf,
} from '../../domain/collection.ts'
import { COLLECTIONS } from '../../domain/collections/index.ts'
import { JOB_EVENTS, JOBS } from '../../domain/event.ts'
import type { Json } from '../../domain/merge-patch.ts'

const Timestamp = Type.String({ format: 'date-time', description: 'RFC 3339, UTC, with milliseconds' })
const TIME = '2026-01-31T12:00:00.000Z'

const plainSchema = (field: FieldSchema, about: object): TSchema => {
  switch (typeOf(field)) {
    case 'string':
      return Type.String(about)
    case 'integer':
      return Type.Integer(about)
    case 'number':
      return Type.Number(about)
    case 'boolean':
      return Type.Boolean(about)
    case 'array':
      return Type.Array(Type.Any(), about)
    case 'object':
      return Type.Object({}, { ...about, additionalProperties: true })
  }
}

const fieldSchema = (field: FieldSchema): TSchema => {
  const { description } = field
  const schema = plainSchema(field, description === undefined ? {} : { description })
  return isNullable(field) ? Type.Union([schema, Type.Null()]) : schema
}

/** A record as the REST interface shows it. */
const recordBody = (collection: Collection): TSchema =>
  Type.Object(
    {
      id: Type.Integer(),
      owner_id: Type.Integer(),
      ...Object.fromEntries(Object.entries(collection.fields).map(([name, field]) => [name, fieldSchema(field)])),
      version: Type.Integer(),
      created_at: Timestamp,
      updated_at: Timestamp,
    },
    { title: titleOf(collection), additionalProperties: false },
  )

/** A job as the REST interface shows it. */
const JobBody = Type.Object(
  {
    id: Type.Integer(),
    kind: Type.String(),
    state: Type.Union([Type.Literal('queued'), Type.Literal('running'), Type.Literal('done'), Type.Literal('dead')]),
    attempts: Type.Integer(),
    run_at: Timestamp,
    last_error: Type.Union([Type.String(), Type.Null()]),
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { title: 'Job', additionalProperties: false },
)

const registered: readonly Collection[] = COLLECTIONS
const names = registered.map(({ name }) => name)

const NAME = '[a-z][a-z0-9_]{0,62}'

/** Every possible topic. */
export const TOPIC_PATTERN = `^${NAME}(?:/all|/[1-9][0-9]{0,14})?$`

export const TOPICS_TEXT = `${names.map((name) => `${name} (your own), ${name}/{id}, ${name}/all (admins)`).join(', ')}, NAME and NAME/{id} of every collection NAME that is defined at run time, ${JOBS} (admins)`

/** Rows of a table of topics. */
export const TOPICS_TABLE = [
  ...names.flatMap((name) => [
    `| \`${name}\` | your own ${name} |`,
    `| \`${name}/{id}\` | one of the ${name} that you may see |`,
    `| \`${name}/all\` | all ${name}, for admins |`,
  ]),
  '| `NAME` | the records of a collection defined at run time that you may read |',
  '| `NAME/{id}` | one of them |',
  `| \`${JOBS}\` | jobs, for admins |`,
].join('\n')

/** The topics of a collection defined at run time. */
export const topicPatternOf = ({ name }: Collection): string => `^${name}(?:/[1-9][0-9]{0,14})?$`

/** Rows of a table of topics. */
export const topicRowsOf = ({ name }: Collection): string =>
  `| \`${name}\` | the ${name} that you may read |\n| \`${name}/{id}\` | one of them |`

/** Every possible event. */
export const EVENT_PATTERN = `^${NAME}\\.(?:${[...RECORD_CHANGES, LEFT].join('|')}|done|dead)$`

export const EVENTS_TEXT = `${registered.map((collection) => [...RECORD_CHANGES.map((change) => eventName(collection, change)), `${collection.singular}.${LEFT}`].join(', ')).join(', ')}; the same of every collection defined at run time; ${JOB_EVENTS.join(', ')}`

const AnyRecordBody = Type.Object(
  { id: Type.Integer() },
  {
    title: 'Record',
    description: 'A record of a collection defined at run time, or the id of one that left',
    additionalProperties: true,
  },
)

export const SUBJECTS: readonly TSchema[] = [...registered.map(recordBody), JobBody, AnyRecordBody]

const exampleOf = ({ fields }: Collection): Readonly<Record<string, Json>> => ({
  id: 7,
  owner_id: 1,
  ...Object.fromEntries(Object.entries(fields).map(([name, { examples }]) => [name, examples?.[0] ?? null])),
  version: 1,
  created_at: TIME,
  updated_at: TIME,
})

const [first] = registered

/** The first collection, used in examples. */
export const EXAMPLE = {
  topic: first?.name ?? JOBS,
  event: first === undefined ? JOB_EVENTS[0] : eventName(first, 'created'),
  record: first === undefined ? {} : exampleOf(first),
}
