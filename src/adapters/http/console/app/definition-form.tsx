import { CelField, celFaultsAt } from './cel-field.tsx'
import { celNames } from './cel-names.ts'
import { useSession } from './context.ts'
import type { PartProps } from './definition-draft.ts'
import { Fields } from './definition-fields.tsx'
import { Indexes } from './definition-indexes.tsx'
import { RULES } from './types.ts'
import { Field, faultsAt } from './ui.tsx'

const ABOUT_RULES: Readonly<Record<string, string>> = {
  read: 'Who may read a record',
  create: 'Who may create one',
  update: 'Who may change it; next is the record as it will be',
  delete: 'Who may delete it',
}

const variablesOf = (rule: string) =>
  rule === 'update' ? (['auth', 'record', 'next'] as const) : (['auth', 'record'] as const)

const Rules = ({ draft, isReadOnly, error, onChange }: PartProps) => {
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

interface FormProps extends PartProps {
  readonly isNew: boolean
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
