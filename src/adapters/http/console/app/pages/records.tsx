import { useEffect, useState } from 'preact/hooks'
import { SkepError } from '../api.ts'
import { useSession } from '../context.ts'
import { useLive } from '../live.ts'
import { type Loaded, useAction } from '../loading.ts'
import { Pager, usePages } from '../pager.tsx'
import { RecordDrawer } from '../record-drawer.tsx'
import { revert } from '../record-history.tsx'
import { RecordTable } from '../record-table.tsx'
import { fieldsOf, pathOf } from '../records.ts'
import { hrefOf, setQuery, usePlace } from '../router.ts'
import { PageHead } from '../shell.tsx'
import { TransferMenu } from '../transfer.tsx'
import type { Definition, Page, RecordBody } from '../types.ts'
import { Button, count, Empty, Failure, Icon, Loading } from '../ui.tsx'

const NEWEST_FIRST = '-created_at'

const totalText = ({ total, total_at_least }: Page<unknown>): string | null => {
  if (total !== null) return total === 1 ? '1 record' : `${count(total)} records`
  return total_at_least === undefined ? null : `more than ${count(total_at_least)} records`
}

interface FiltersProps {
  readonly definition: Definition
  readonly q: string
  readonly filter: string
  readonly error: Error | null
}

/** Typed text is applied by Enter, or when the field is left. */
const Filters = ({ definition, q, filter, error }: FiltersProps) => {
  const [draft, setDraft] = useState({ q, filter })
  useEffect(() => setDraft({ q, filter }), [q, filter])
  const apply = () => setQuery({ q: draft.q, filter: draft.filter })
  const example = fieldsOf(definition).find(({ schema }) => schema.type === 'boolean')
  const isFaulty = error instanceof SkepError && error.errors.some(({ pointer }) => pointer === '/filter')
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
        <label class="filter-field">
          <span class="hidden">Filter</span>
          <input
            class="code"
            value={draft.filter}
            spellcheck={false}
            autocapitalize="none"
            aria-invalid={isFaulty || undefined}
            placeholder={`Filter, such as ${example === undefined ? 'created_at > now - duration("24h")' : `!${example.name}`}`}
            onInput={({ currentTarget }) => setDraft({ ...draft, filter: currentTarget.value })}
            onBlur={apply}
          />
        </label>
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

interface ListProps {
  readonly definition: Definition
  readonly list: Loaded<Page<RecordBody>>
  readonly sort: string
  readonly isFiltered: boolean
  readonly isLive: boolean
}

const NoRecords = ({ definition, isFiltered }: Pick<ListProps, 'definition' | 'isFiltered'>) =>
  isFiltered ? (
    <Empty icon="search" title="Nothing matches">
      <Button onClick={() => setQuery({ q: null, filter: null })}>Clear the filter</Button>
    </Empty>
  ) : (
    <Empty icon="collection" title={`No ${definition.name} yet`}>
      <p>Records that your application creates appear here at once.</p>
      <Button kind="primary" icon="plus" onClick={() => setQuery({ record: 'new' })}>
        New {definition.singular}
      </Button>
    </Empty>
  )

const List = ({ definition, list, sort, isFiltered, isLive }: ListProps) => {
  const { data, error, isLoading } = list
  if (data === null) return isLoading ? <Loading /> : null
  const total = totalText(data)
  return (
    <>
      <p class="list-status">
        {total !== null && <span>{total}</span>}
        <span class={isLive ? 'live on' : 'live'} title="Whether changes by others are shown at once">
          {isLive ? 'Live' : 'Connecting'}
        </span>
      </p>
      {data.items.length === 0 && error === null ? (
        <NoRecords definition={definition} isFiltered={isFiltered} />
      ) : (
        <RecordTable definition={definition} records={data.items} sort={sort} isLoading={isLoading} />
      )}
    </>
  )
}

interface DeletedProps {
  readonly definition: Definition
  readonly record: RecordBody
  readonly onRestored: () => void
}

/** What was deleted just now, and the way back. */
const Deleted = ({ definition: { name, singular }, record, onRestored }: DeletedProps) => {
  const { run, isRunning, error } = useAction(async () => {
    await revert(name, record.id, record.version)
    onRestored()
  })
  return (
    <>
      <div class="message done undo" role="status">
        <p>
          {singular} {record.id} was deleted.
        </p>
        <Button isBusy={isRunning} onClick={() => void run()}>
          Undo
        </Button>
      </div>
      <Failure error={error} />
    </>
  )
}

const Records = ({ definition }: { definition: Definition }) => {
  const { collections } = useSession()
  const { query } = usePlace()
  const { name, singular } = definition
  const [q, filter] = [query.get('q') ?? '', query.get('filter') ?? '']
  const sort = query.get('sort') ?? NEWEST_FIRST
  const open = query.get('record')
  const references = fieldsOf(definition).flatMap(({ name: field, schema }) =>
    schema['x-ref'] === undefined || schema['x-ref'] === 'files' ? [] : [field],
  )
  const list = usePages<RecordBody>(pathOf(name), { q, filter, sort, expand: ['owner', ...references].join(',') })
  const refresh = () => {
    list.reload()
    collections.reload()
  }
  const [deleted, setDeleted] = useState<RecordBody | null>(null)
  const isLive = useLive(name === 'items' ? 'items/all' : name, refresh)
  return (
    <>
      <PageHead title={name}>
        <a class="button plain" href={hrefOf(`collections/${name}/definition`)}>
          <Icon name="gear" />
          Definition
        </a>
        <TransferMenu definition={definition} onImported={refresh} />
        <Button kind="primary" icon="plus" onClick={() => setQuery({ record: 'new' })}>
          New {singular}
        </Button>
      </PageHead>
      <Filters definition={definition} q={q} filter={filter} error={list.error} />
      <Failure error={list.error} />
      {deleted !== null && (
        <Deleted
          key={deleted.id}
          definition={definition}
          record={deleted}
          onRestored={() => {
            setDeleted(null)
            refresh()
          }}
        />
      )}
      <List definition={definition} list={list} sort={sort} isFiltered={q + filter !== ''} isLive={isLive} />
      <Pager pages={list} />
      {open !== null && (
        <RecordDrawer
          key={open}
          definition={definition}
          id={open === 'new' ? null : Number(open)}
          onClose={() => setQuery({ record: null })}
          onSaved={refresh}
          onDeleted={(record) => {
            setDeleted(record)
            refresh()
          }}
        />
      )}
    </>
  )
}

/** The records of a collection. */
export const RecordsPage = ({ name }: { name: string }) => {
  const { data, isLoading } = useSession().collections
  const definition = data?.find((each) => each.name === name)
  if (definition !== undefined) return <Records definition={definition} />
  if (isLoading) return <Loading />
  return (
    <Empty icon="search" title={`There is no collection named ${name}`}>
      <a href={hrefOf('collections')}>All collections</a>
    </Empty>
  )
}
