import { kindOf } from './definition-draft.ts'
import { choiceText, type Value } from './record-draft.ts'
import { ReferenceField } from './reference-field.tsx'
import type { FieldOf } from './types.ts'
import { Field, type FieldControl } from './ui.tsx'

/** Longer texts get more than one line. */
const MAX_LINE_LENGTH = 200

interface ControlProps {
  readonly field: FieldOf
  readonly value: Value | undefined
  readonly onChange: (value: Value) => void
}

const YES_OR_NO = { '': null, true: true, false: false } as const

const Choice = ({ field, value, onChange, control }: ControlProps & { control: FieldControl }) => (
  <select
    {...control}
    value={typeof value === 'string' ? value : ''}
    onChange={({ currentTarget }) => onChange(currentTarget.value)}
  >
    <option value="">—</option>
    {(field.schema.enum ?? []).map((each) => (
      <option key={JSON.stringify(each)} value={JSON.stringify(each)}>
        {choiceText(each)}
      </option>
    ))}
  </select>
)

const YesOrNo = ({ value, onChange, control }: ControlProps & { control: FieldControl }) => (
  <select
    {...control}
    value={typeof value === 'boolean' ? String(value) : ''}
    onChange={({ currentTarget }) => {
      const given = currentTarget.value
      onChange(given === 'true' || given === 'false' ? YES_OR_NO[given] : null)
    }}
  >
    <option value="">—</option>
    <option value="true">Yes</option>
    <option value="false">No</option>
  </select>
)

const Control = (props: ControlProps & { control: FieldControl }) => {
  const { field, value, onChange, control } = props
  const kind = kindOf(field.schema)
  const target = field.schema['x-ref']
  if (target !== undefined && (kind === 'reference' || kind === 'references')) {
    return (
      <ReferenceField
        control={control}
        target={target}
        isList={kind === 'references'}
        ids={Array.isArray(value) ? value : []}
        onChange={onChange}
      />
    )
  }
  if (kind === 'choice') return <Choice {...props} />
  if (kind === 'boolean') return <YesOrNo {...props} />
  const shared = {
    ...control,
    value: typeof value === 'string' ? value : '',
    onInput: ({ currentTarget }: { readonly currentTarget: HTMLInputElement | HTMLTextAreaElement }) =>
      onChange(currentTarget.value),
  }
  const isJson = kind === 'object' || kind === 'array'
  const { maxLength } = field.schema
  if (isJson) return <textarea {...shared} class="code" rows={4} spellcheck={false} />
  if (kind === 'text' && (maxLength === undefined || maxLength > MAX_LINE_LENGTH)) {
    return <textarea {...shared} rows={4} dir="auto" />
  }
  if (kind === 'date-time') return <input {...shared} type="datetime-local" step={1} />
  if (kind === 'date') return <input {...shared} type="date" />
  if (kind === 'integer' || kind === 'number') {
    return <input {...shared} inputMode={kind === 'integer' ? 'numeric' : 'decimal'} />
  }
  return <input {...shared} dir="auto" />
}

const hintOf = ({ schema }: FieldOf): string | undefined => {
  const kind = kindOf(schema)
  return schema.description ?? (kind === 'object' || kind === 'array' ? 'JSON' : undefined)
}

/** One field of a record, with the control that suits its schema. */
export const RecordField = ({ fault, ...props }: ControlProps & { fault: string | null }) => {
  const { field } = props
  return (
    <Field label={field.schema.title ?? field.name} required={field.required} hint={hintOf(field)} fault={fault}>
      {(control) => <Control {...props} control={control} />}
    </Field>
  )
}
