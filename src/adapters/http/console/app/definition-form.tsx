import { useState } from 'preact/hooks'
import { CelField, celFaultsAt } from './cel-field.tsx'
import { celNames } from './cel-names.ts'
import { useSession } from './context.ts'
import {
  type DefinitionDraft,
  type FieldDraft,
  KINDS,
  type Kind,
  kindOf,
  newField,
  removeField,
  renameField,
  schemaOf,
} from './definition-draft.ts'
import { type FieldSchema, RULES } from './types.ts'
import { Button, Field, faultsAt, Icon } from './ui.tsx'

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

interface FormProps {
  readonly draft: DefinitionDraft
  readonly isNew: boolean
  readonly isReadOnly: boolean
  readonly error: Error | null
  readonly onChange: (draft: DefinitionDraft) => void
}

const Fields = ({ draft, isReadOnly, error, onChange }: FormProps) => {
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

const MAX_INDEXED_FIELDS_COUNT = 3

const Indexes = ({ draft, isReadOnly, error, onChange }: FormProps) => {
  const names = draft.fields.map(({ name }) => name).filter((name) => name !== '')
  const set = (position: number, change: (typeof draft.indexes)[number]) =>
    onChange({ ...draft, indexes: draft.indexes.map((index, each) => (each === position ? change : index)) })
  return (
    <section class="card pad" aria-labelledby="indexes">
      <h2 id="indexes">Indexes</h2>
      <p class="quiet">Make filters fast, allow sorting by their first field, and keep values unique.</p>
      <ul class="field-rows">
        {draft.indexes.map((index, position) => {
          const fault = faultsAt(error, `/indexes/${position}`)
          return (
            <li key={position}>
              <fieldset class="field-row" disabled={isReadOnly}>
                <legend class="hidden">Index {position + 1}</legend>
                {Array.from({ length: Math.min(MAX_INDEXED_FIELDS_COUNT, index.fields.length + 1) }, (_, at) => (
                  <label key={at}>
                    {at === 0 ? 'Field' : 'then'}
                    <select
                      value={index.fields[at] ?? ''}
                      onChange={({ currentTarget: { value } }) => {
                        const fields = [...index.fields]
                        if (value === '') fields.splice(at)
                        else fields[at] = value
                        set(position, { ...index, fields })
                      }}
                    >
                      <option value="">—</option>
                      {names.map((name) => (
                        <option key={name}>{name}</option>
                      ))}
                    </select>
                  </label>
                ))}
                <label class="check">
                  <input
                    type="checkbox"
                    checked={index.unique ?? false}
                    onChange={({ currentTarget }) => set(position, { ...index, unique: currentTarget.checked })}
                  />
                  Unique
                </label>
                <button
                  type="button"
                  class="button quiet square"
                  aria-label={`Remove index ${position + 1}`}
                  onClick={() => onChange({ ...draft, indexes: draft.indexes.filter((_, each) => each !== position) })}
                >
                  <Icon name="close" />
                </button>
              </fieldset>
              {fault !== null && <p class="fault">{fault}</p>}
            </li>
          )
        })}
      </ul>
      {!isReadOnly && (
        <Button
          icon="plus"
          onClick={() => onChange({ ...draft, indexes: [...draft.indexes, { fields: names.slice(0, 1) }] })}
        >
          Add index
        </Button>
      )}
    </section>
  )
}

const ABOUT_RULES: Readonly<Record<string, string>> = {
  read: 'Who may read a record',
  create: 'Who may create one',
  update: 'Who may change it; next is the record as it will be',
  delete: 'Who may delete it',
}

const variablesOf = (rule: string) =>
  rule === 'update' ? (['auth', 'record', 'next'] as const) : (['auth', 'record'] as const)

const Rules = ({ draft, isReadOnly, error, onChange }: FormProps) => {
  const { collections } = useSession()
  const fields = Object.fromEntries(draft.fields.map(({ name, schema }) => [name, schema]))
  const namesIn = (rule: string) =>
    celNames({ fields, collections: collections.data ?? [], variables: variablesOf(rule), isBare: false })
  return (
    <section class="card pad" aria-labelledby="rules">
      <h2 id="rules">Rules</h2>
      <p class="quiet">
        Expressions in CEL over <code>auth</code>, <code>record</code>, <code>next</code> and <code>now</code>. Empty
        means admins only, who pass every rule.
      </p>
      {RULES.map((rule) => (
        <Field key={rule} label={rule} required hint={ABOUT_RULES[rule]} fault={faultsAt(error, `/rules/${rule}`)}>
          {() => (
            <CelField
              label={rule}
              value={draft.rules[rule] ?? ''}
              placeholder="Admins only"
              names={namesIn(rule)}
              faults={celFaultsAt(error, `/rules/${rule}`)}
              isReadOnly={isReadOnly}
              isEager
              onChange={(value) =>
                onChange({ ...draft, rules: { ...draft.rules, [rule]: value.trim() === '' ? null : value } })
              }
            />
          )}
        </Field>
      ))}
      <Field label="When the owner is deleted" required>
        {(control) => (
          <select
            {...control}
            disabled={isReadOnly}
            value={draft.owner}
            onChange={({ currentTarget: { value } }) =>
              onChange({ ...draft, owner: value === 'keep' ? 'keep' : 'delete' })
            }
          >
            <option value="delete">Delete their records</option>
            <option value="keep">Keep their records without an owner</option>
          </select>
        )}
      </Field>
    </section>
  )
}

/** A definition as a form. It keeps what it does not show. */
export const DefinitionForm = (props: FormProps) => {
  const { draft, isNew, error, onChange } = props
  return (
    <div class="stack">
      {isNew && (
        <section class="card pad" aria-labelledby="naming">
          <h2 id="naming">Name</h2>
          <Field
            label="Name"
            required
            hint="The plural, as in paths: lower-case letters, digits and _."
            fault={faultsAt(error, '/name')}
          >
            {(control) => (
              <input
                {...control}
                value={draft.name}
                placeholder="tasks"
                spellcheck={false}
                autocapitalize="none"
                onInput={({ currentTarget }) => onChange({ ...draft, name: currentTarget.value })}
              />
            )}
          </Field>
        </section>
      )}
      <Fields {...props} />
      <Indexes {...props} />
      <Rules {...props} />
    </div>
  )
}
