import type { VNode } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { type Kind, kindOf } from './definition-draft.ts'
import { Cell, Owner } from './record-cell.tsx'
import { type FieldOf, fieldsOf, sortsOf } from './records.ts'
import { setQuery } from './router.ts'
import type { Definition, RecordBody } from './types.ts'
import { Icon, Scrolled, Time } from './ui.tsx'
import type { LongList } from './use-long-list.ts'
import { useVirtualRows } from './virtual-rows.ts'

/** As in `lists.css`. */
const ROW_HEIGHT_REM = 2.875

/** Of the columns that every record has: id, owner, created, changed. */
const SYSTEM_COLUMNS_COUNT = 4

const Heading = ({
  name,
  label = name,
  sort,
  sorts,
}: {
  name: string
  label?: string
  sort: string
  sorts: readonly string[]
}) => {
  if (!sorts.includes(name)) return <th scope="col">{label}</th>
  const direction = sort === name ? 'ascending' : sort === `-${name}` ? 'descending' : undefined
  return (
    <th scope="col" aria-sort={direction}>
      <button
        type="button"
        class="sort"
        onClick={() => setQuery({ sort: direction === 'ascending' ? `-${name}` : name })}
      >
        {label}
        {direction !== undefined && <Icon name={direction === 'ascending' ? 'up' : 'down'} />}
      </button>
    </th>
  )
}

/** Columns have widths of their own, because with those of their content they would change while one scrolls. */
const WIDTHS: Readonly<Partial<Record<Kind, string>>> = {
  integer: 'short',
  number: 'short',
  boolean: 'short',
  'date-time': 'time',
  date: 'time',
  choice: 'time',
  reference: 'time',
}

const Columns = ({ fields }: { fields: readonly FieldOf[] }) => (
  <colgroup>
    <col class="short" />
    {fields.map(({ name, schema }) => (
      <col key={name} class={WIDTHS[kindOf(schema)] ?? 'wide'} />
    ))}
    <col class="time" />
    <col class="time" />
    <col class="time" />
  </colgroup>
)

const open = ({ id }: RecordBody) => setQuery({ record: String(id) })

interface RowProps {
  readonly definition: Definition
  readonly fields: readonly FieldOf[]
  readonly record: RecordBody
  /** Counted from 1, after the row of headings. */
  readonly position: number
}

const Row = ({ definition, fields, record, position }: RowProps) => (
  // The button in the first cell does the same by keyboard.
  <tr aria-rowindex={position + 1} onClick={() => open(record)}>
    <th scope="row">
      <button
        type="button"
        class="row-open"
        aria-label={`Open ${definition.singular} ${record.id}`}
        onClick={(event) => {
          event.stopPropagation()
          open(record)
        }}
      >
        {record.id}
      </button>
    </th>
    {fields.map((field) => (
      <td key={field.name}>
        <Cell field={field} record={record} />
      </td>
    ))}
    <td>
      <Owner record={record} />
    </td>
    <td>
      <Time value={record.created_at} />
    </td>
    <td>
      <Time value={record.updated_at} />
    </td>
  </tr>
)

/** The rendered rows of records, because Preact passes over a row that is the same object as before. */
const useRows = (definition: Definition, fields: readonly FieldOf[]) => {
  const known = useMemo(
    () => new WeakMap<RecordBody, { readonly position: number; readonly row: VNode }>(),
    [definition],
  )
  return (record: RecordBody, position: number): VNode => {
    const former = known.get(record)
    if (former?.position === position) return former.row
    const row = <Row key={record.id} definition={definition} fields={fields} record={record} position={position} />
    known.set(record, { position, row })
    return row
  }
}

/** Stands for rows that are not rendered. */
const Space = ({ height }: { height: number }) =>
  height === 0 ? null : (
    <tr class="space">
      <td style={{ height: `${height}px` }} />
    </tr>
  )

const rootFontSize = (): number => Number.parseFloat(getComputedStyle(document.documentElement).fontSize)

interface TableProps {
  readonly definition: Definition
  readonly list: LongList<RecordBody>
  readonly sort: string
}

/** All records of a list, read as they are scrolled into view; each row opens its record. */
export const RecordTable = ({ definition, list, sort }: TableProps) => {
  const { view, shownKey, isOutdated, show } = list
  const fields = useMemo(() => fieldsOf(definition), [definition])
  const sorts = sortsOf(definition)
  const rowOf = useRows(definition, fields)
  const scroller = useRef<HTMLElement>(null)
  const count = view === null ? 0 : view.count + (view.isComplete ? 0 : 1)
  const { rows, before, after } = useVirtualRows({ scroller, count, rowHeight: ROW_HEIGHT_REM * rootFontSize() })
  const [from, to] = [rows[0]?.index ?? 0, rows.at(-1)?.index ?? 0]
  useEffect(() => {
    scroller.current?.scrollTo({ top: 0 })
  }, [shownKey])
  useEffect(() => {
    if (!isOutdated) show(from, to)
  }, [show, isOutdated, shownKey, from, to, view?.count])
  return (
    <Scrolled label={definition.name} isLoading={isOutdated} scroller={scroller}>
      <table class="records" aria-rowcount={view?.isComplete ? view.count + 1 : -1}>
        <Columns fields={fields} />
        <thead>
          <tr aria-rowindex={1}>
            <Heading name="id" label="ID" sort={sort} sorts={sorts} />
            {fields.map(({ name }) => (
              <Heading key={name} name={name} sort={sort} sorts={sorts} />
            ))}
            <th scope="col">owner</th>
            <Heading name="created_at" label="created" sort={sort} sorts={sorts} />
            <Heading name="updated_at" label="changed" sort={sort} sorts={sorts} />
          </tr>
        </thead>
        <tbody>
          <Space height={before} />
          {rows.map(({ index }) => {
            const record = view?.at(index) ?? null
            return record === null ? (
              <tr key={`at ${index}`} class="waiting">
                <td colSpan={fields.length + SYSTEM_COLUMNS_COUNT}>Loading…</td>
              </tr>
            ) : (
              rowOf(record, index + 1)
            )
          })}
          <Space height={after} />
        </tbody>
      </table>
    </Scrolled>
  )
}
