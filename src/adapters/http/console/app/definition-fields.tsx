import { useState } from 'preact/hooks'
import { useSession } from './context.ts'
import {
  type FieldDraft,
  KINDS,
  type Kind,
  kindOf,
  newField,
  type PartProps,
  removeField,
  renameField,
  schemaOf,
} from './definition-draft.ts'
import type { FieldSchema } from './types.ts'
import { Button, faultsAt, Icon } from './ui.tsx'

interface FieldRowProps {
  readonly field: FieldDraft
  readonly targets: readonly string[]
  readonly fault: string | null
  readonly isReadOnly: boolean
  readonly onRename: (name: string) => void
  readonly onChange: (field: FieldDraft) => void
  readonly onRemove: () => void
}

const ON_DELETE = {
  restrict: 'Not possible',
  cascade: 'Deletes this too',
  clear: 'Clears the field',
} as const

const Targets = ({ field, targets, onChange }: Pick<FieldRowProps, 'field' | 'targets' | 'onChange'>) => {
  const { schema } = field
  const set = (change: object) => onChange({ ...field, schema: { ...schema, ...change } })
  const onDelete = 'x-on-delete' in schema ? String(schema['x-on-delete']) : 'restrict'
  return (
    <>
      <label>
        To
        <select value={schema['x-ref']} onChange={({ currentTarget }) => set({ 'x-ref': currentTarget.value })}>
          {targets.map((target) => (
            <option key={target}>{target}</option>
          ))}
        </select>
      </label>
      <label>
        Deleting that record
        <select value={onDelete} onChange={({ currentTarget }) => set({ 'x-on-delete': currentTarget.value })}>
          {Object.entries(ON_DELETE).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </>
  )
}

const Choices = ({ field, onChange }: Pick<FieldRowProps, 'field' | 'onChange'>) => {
  const [text, setText] = useState(() => (field.schema.enum ?? []).join(', '))
  return (
    <label class="grow">
      Choices, separated by commas
      <input
        value={text}
        onInput={({ currentTarget: { value } }) => {
          setText(value)
          const choices = value.split(',').map((each) => each.trim())
          onChange({ ...field, schema: { ...field.schema, enum: choices.filter((each) => each !== '') } })
        }}
      />
    </label>
  )
}

const withMaxLength = ({ maxLength: _, ...schema }: FieldSchema, text: string): FieldSchema =>
  text.trim() === '' ? schema : { ...schema, maxLength: Number(text) }

const Details = ({ field, targets, onChange }: Pick<FieldRowProps, 'field' | 'targets' | 'onChange'>) => {
  const kind = kindOf(field.schema)
  if (kind === 'reference' || kind === 'references') {
    return <Targets field={field} targets={targets} onChange={onChange} />
  }
  if (kind === 'choice') return <Choices field={field} onChange={onChange} />
  if (kind !== 'text') return null
  return (
    <>
      <label class="short">
        Longest
        <input
          inputMode="numeric"
          value={field.schema.maxLength ?? ''}
          onInput={({ currentTarget: { value } }) => onChange({ ...field, schema: withMaxLength(field.schema, value) })}
        />
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={field.searched}
          onChange={({ currentTarget }) => onChange({ ...field, searched: currentTarget.checked })}
        />
        Searched
      </label>
    </>
  )
}

const isKind = (value: string): value is Kind => Object.hasOwn(KINDS, value)

const FieldRow = ({ field, targets, fault, isReadOnly, onRename, onChange, onRemove }: FieldRowProps) => {
  const label = field.name === '' ? 'new field' : field.name
  return (
    <li>
      <fieldset class="field-row" disabled={isReadOnly}>
        <legend class="hidden">{label}</legend>
        <label class="grow">
          Name
          <input
            value={field.name}
            spellcheck={false}
            autocapitalize="none"
            aria-invalid={fault === null ? undefined : true}
            onInput={({ currentTarget }) => onRename(currentTarget.value)}
          />
        </label>
        <label>
          Type
          <select
            value={kindOf(field.schema)}
            onChange={({ currentTarget: { value } }) =>
              isKind(value) && onChange({ ...field, schema: schemaOf(value, targets[0]), searched: false })
            }
          >
            {Object.entries(KINDS).map(([kind, name]) => (
              <option key={kind} value={kind}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <Details field={field} targets={targets} onChange={onChange} />
        <label class="check">
          <input
            type="checkbox"
            checked={field.required}
            onChange={({ currentTarget }) => onChange({ ...field, required: currentTarget.checked })}
          />
          Required
        </label>
        <button type="button" class="button quiet square" aria-label={`Remove ${label}`} onClick={onRemove}>
          <Icon name="close" />
        </button>
      </fieldset>
      {fault !== null && <p class="fault">{fault}</p>}
    </li>
  )
}

export const Fields = ({ draft, isReadOnly, error, onChange }: PartProps) => {
  const { collections } = useSession()
  const targets = [...(collections.data ?? []).map(({ name }) => name), 'users', 'files']
  const own = draft.name !== '' && !targets.includes(draft.name) ? [draft.name] : []
  const change = (next: FieldDraft) =>
    onChange({ ...draft, fields: draft.fields.map((field) => (field.id === next.id ? next : field)) })
  return (
    <section class="card pad" aria-labelledby="fields">
      <h2 id="fields">Fields</h2>
      <p class="quiet">
        Beside these, every record has an id, an owner, a version, and the times of its creation and last change.
      </p>
      <ul class="field-rows">
        {draft.fields.map((field) => (
          <FieldRow
            key={field.id}
            field={field}
            targets={[...targets, ...own]}
            isReadOnly={isReadOnly}
            fault={faultsAt(error, `/schema/properties/${field.name}`)}
            onRename={(name) => onChange(renameField(draft, field.id, name))}
            onChange={change}
            onRemove={() => onChange(removeField(draft, field.id))}
          />
        ))}
      </ul>
      {!isReadOnly && (
        <Button icon="plus" onClick={() => onChange({ ...draft, fields: [...draft.fields, newField()] })}>
          Add field
        </Button>
      )}
    </section>
  )
}
