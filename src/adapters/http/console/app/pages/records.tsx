import { useState } from 'preact/hooks'
import { useSession } from '../context.ts'
import { useLive } from '../live.ts'
import { useAction } from '../loading.ts'
import { MAX_LISTED_COUNT } from '../long-list.ts'
import { RecordDrawer } from '../record-drawer.tsx'
import { RecordFilters } from '../record-filters.tsx'
import { revert } from '../record-history.tsx'
import { RecordTable } from '../record-table.tsx'
import { fieldsOf, pathOf } from '../records.ts'
import { hrefOf, setQuery, usePlace } from '../router.ts'
import { PageHead } from '../shell.tsx'
import { TransferMenu } from '../transfer.tsx'
import type { Definition, RecordBody } from '../types.ts'
import { Button, count, Empty, Failure, Icon, Loading } from '../ui.tsx'
import { type LongList, useLongList } from '../use-long-list.ts'

const NEWEST_FIRST = '-created_at'

interface ListProps {
  readonly definition: Definition
  readonly list: LongList<RecordBody>
  readonly sort: string
  readonly isFiltered: boolean
  readonly isLive: boolean
}

const records = (total: number): string => (total === 1 ? '1 record' : `${count(total)} records`)

/** What a search does not count to its end is at least so much. */
const totalText = ({ definition, list: { view }, isFiltered }: ListProps): string | null => {
  if (view === null || view.first === null) return null
  const { total, total_at_least: atLeast } = view.first
  if (!isFiltered) return records(definition.records)
  if (view.isComplete && view.count < MAX_LISTED_COUNT) return records(view.count)
  if (total !== null) return records(total)
  return atLeast === undefined ? null : `more than ${records(Math.max(atLeast, view.count))}`
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

const List = (props: ListProps) => {
  const { definition, list, sort, isFiltered, isLive } = props
  const { view, error } = list
  if (view === null) return error === null ? <Loading /> : null
  const total = totalText(props)
  return (
    <>
      <p class="list-status">
        {total !== null && <span>{total}</span>}
        {view.count >= MAX_LISTED_COUNT && <span>The first {count(MAX_LISTED_COUNT)} are listed: filter them</span>}
        <span class={isLive ? 'live on' : 'live'} title="Whether changes by others are shown at once">
          {isLive ? 'Live' : 'Connecting'}
        </span>
      </p>
      {view.count === 0 && view.isComplete && error === null ? (
        <NoRecords definition={definition} isFiltered={isFiltered} />
      ) : (
        <RecordTable definition={definition} list={list} sort={sort} />
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
  const list = useLongList<RecordBody>(pathOf(name), { q, filter, sort, expand: ['owner', ...references].join(',') })
  const refresh = () => {
    list.refresh()
    collections.reload()
  }
  const [deleted, setDeleted] = useState<RecordBody | null>(null)
  const isLive = useLive(name === 'items' ? 'items/all' : name, refresh)
  return (
    <div class="fill">
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
      <RecordFilters key={name} definition={definition} q={q} filter={filter} error={list.error} />
      <Failure error={list.error} onRetry={refresh} />
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
    </div>
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
