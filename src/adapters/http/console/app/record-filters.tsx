import { useEffect, useState } from 'preact/hooks'
import { call } from './api.ts'
import { CelField, celFaultsAt } from './cel-field.tsx'
import { celNames } from './cel-names.ts'
import { useSession } from './context.ts'
import { fieldsOf, pathOf } from './records.ts'
import { setQuery } from './router.ts'
import { useTypedCheck } from './typed-check.ts'
import type { Definition } from './types.ts'
import { Button, faultsAt, Icon } from './ui.tsx'

interface FiltersProps {
  readonly definition: Definition
  readonly q: string
  readonly filter: string
  readonly error: Error | null
}

/** Typed text is checked as it is typed, and applied by Enter or when the field is left. */
export const RecordFilters = ({ definition, q, filter, error }: FiltersProps) => {
  const [draft, setDraft] = useState({ q, filter })
  useEffect(() => setDraft({ q, filter }), [q, filter])
  // The answer for the one that is applied is shown already.
  const isChecked = draft.filter.trim() !== '' && draft.filter !== filter
  const checked = useTypedCheck(isChecked ? `${definition.name} ${draft.filter}` : null, (signal) =>
    call('GET', pathOf(definition.name), { query: { filter: draft.filter, size: 1, total: 'false' }, signal }),
  )
  const fault = draft.filter === filter ? error : checked
  const message = draft.filter === filter ? null : faultsAt(checked, '/filter')
  const apply = () => setQuery({ q: draft.q, filter: draft.filter })
  const example = fieldsOf(definition).find(({ schema }) => schema.type === 'boolean')
  const { collections } = useSession()
  const names = celNames({
    fields: definition.schema.properties ?? {},
    collections: collections.data ?? [],
    variables: ['auth'],
    isBare: true,
  })
  return (
    <search>
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault()
          apply()
        }}
      >
        {definition.search.length > 0 && (
          <label class="search-field">
            <span class="hidden">Search {definition.search.join(', ')}</span>
            <Icon name="search" />
            <input
              type="search"
              value={draft.q}
              placeholder={`Search ${definition.search.join(', ')}`}
              onInput={({ currentTarget }) => setDraft({ ...draft, q: currentTarget.value })}
              onBlur={apply}
            />
          </label>
        )}
        <div class="filter-field">
          <CelField
            label="Filter"
            value={draft.filter}
            placeholder={`Filter, such as ${example === undefined ? 'created_at > now - duration("24h")' : `!${example.name}`}`}
            names={names}
            faults={celFaultsAt(fault, '/filter')}
            isOneLine
            onChange={(value) => setDraft((before) => ({ ...before, filter: value }))}
            onEnter={apply}
            onBlur={apply}
          />
          <div role="status">{message !== null && <p class="fault">{message}</p>}</div>
        </div>
        {q + filter !== '' && (
          <Button kind="quiet" onClick={() => setQuery({ q: null, filter: null })}>
            Clear
          </Button>
        )}
        <button type="submit" class="hidden">
          Apply
        </button>
      </form>
    </search>
  )
}
