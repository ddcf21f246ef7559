import type { PartProps } from './definition-draft.ts'
import { Button, faultsAt, Icon } from './ui.tsx'

const MAX_INDEXED_FIELDS_COUNT = 3

export const Indexes = ({ draft, isReadOnly, error, onChange }: PartProps) => {
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
