import type { VNode } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { type Kind, kindOf } from './definition-draft.ts'
import { Cell, Owner } from './record-cell.tsx'
import { fieldsOf, sortsOf } from './records.ts'
import { setQuery } from './router.ts'
import type { Definition, FieldOf, RecordBody } from './types.ts'
import { Icon, Scrolled, Time } from './ui.tsx'
import type { LongList } from './use-long-list.ts'
import { useVirtualRows } from './virtual-rows.ts'

/** As in `lists.css`. */
const ROW_HEIGHT_REM = 2.875

/**
 * The rows are boxes of their own, each laid out by itself. A table that is not displayed as one loses its roles in some
 * browsers, unless they are stated.
 */
const TABLE = { role: 'table' } as const
const ROW_GROUP = { role: 'rowgroup' } as const
const ROW = { role: 'row' } as const
const HEADING = { role: 'columnheader', scope: 'col' } as const
const ROW_HEADING = { role: 'rowheader', scope: 'row' } as const
const CELL = { role: 'cell' } as const

interface HeadingProps {
  readonly name: string
  readonly label?: string
  readonly width: string
  readonly sort: string
  readonly sorts: readonly string[]
}

const Heading = ({ name, label = name, width, sort, sorts }: HeadingProps) => {
  if (!sorts.includes(name)) {
    return (
      <th {...HEADING} class={width}>
        {label}
      </th>
    )
  }
  const direction = sort === name ? 'ascending' : sort === `-${name}` ? 'descending' : undefined
  return (
    <th {...HEADING} class={width} aria-sort={direction}>
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

const widthOf = ({ schema }: FieldOf): string => WIDTHS[kindOf(schema)] ?? 'wide'

interface RowProps {
  readonly definition: Definition
  readonly fields: readonly FieldOf[]
  /** Null while it is being read. */
  readonly record: RecordBody | null
  /** Counted from 1, after the row of headings. */
  readonly position: number
}

/** When its row becomes that of another record, or of none, the focus goes back to the list that is scrolled. */
const OpenButton = ({ singular, id }: { singular: string; id: number }) => {
  const button = useRef<HTMLButtonElement>(null)
  useLayoutEffect(() => {
    const { current } = button
    return () => {
      if (current !== null && document.activeElement === current) {
        current.closest('section')?.focus({ preventScroll: true })
      }
    }
  }, [id])
  return (
    <button ref={button} type="button" class="row-open" aria-label={`Open ${singular} ${id}`}>
      {id}
    </button>
  )
}

const Row = ({ definition, fields, record, position }: RowProps) => {
  const open = record === null ? undefined : () => setQuery({ record: String(record.id) })
  return (
    // By keyboard, the button in the first cell is clicked.
    <tr {...ROW} aria-rowindex={position + 1} class={record === null ? 'waiting' : undefined} onClick={open}>
      <th {...ROW_HEADING} class="short">
        {record === null ? 'Loading…' : <OpenButton singular={definition.singular} id={record.id} />}
      </th>
      {fields.map((field) => (
        <td key={field.name} {...CELL} class={widthOf(field)}>
          {record !== null && <Cell field={field} record={record} />}
        </td>
      ))}
      <td {...CELL} class="time">
        {record !== null && <Owner record={record} />}
      </td>
      <td {...CELL} class="time">
        {record !== null && <Time value={record.created_at} />}
      </td>
      <td {...CELL} class="time">
        {record !== null && <Time value={record.updated_at} />}
      </td>
    </tr>
  )
}

interface Rendered {
  readonly record: RecordBody | null
  readonly position: number
  readonly row: VNode
}

/**
 * The rows as they were last rendered, by their keys, because Preact passes over a row that is the same object as before.
 * Others are not kept: a rendered row references those around it, and so would all that were ever rendered together.
 */
const useRows = (definition: Definition, fields: readonly FieldOf[]) => {
  const rendered = useMemo(() => new Map<number, Rendered>(), [definition])
  return (record: RecordBody | null, position: number, key: number): VNode => {
    const former = rendered.get(key)
    if (former?.record === record && former.position === position) return former.row
    const row = <Row key={key} definition={definition} fields={fields} record={record} position={position} />
    rendered.set(key, { record, position, row })
    return row
  }
}

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
  const [rowHeight] = useState(() => ROW_HEIGHT_REM * rootFontSize())
  const { rows, before } = useVirtualRows({ scroller, count, rowHeight })
  const [from, to] = [rows[0]?.index ?? 0, rows.at(-1)?.index ?? 0]
  useEffect(() => {
    scroller.current?.scrollTo({ top: 0 })
  }, [shownKey])
  useEffect(() => {
    if (!isOutdated) show(from, to)
  }, [show, isOutdated, shownKey, from, to, view?.count])
  return (
    <Scrolled label={definition.name} isLoading={isOutdated && list.error === null} scroller={scroller}>
      <table {...TABLE} class="records" aria-rowcount={view?.isComplete ? view.count + 1 : -1}>
        <thead {...ROW_GROUP}>
          <tr {...ROW} aria-rowindex={1}>
            <Heading name="id" label="ID" width="short" sort={sort} sorts={sorts} />
            {fields.map((field) => (
              <Heading key={field.name} name={field.name} width={widthOf(field)} sort={sort} sorts={sorts} />
            ))}
            <Heading name="owner" width="time" sort={sort} sorts={[]} />
            <Heading name="created_at" label="created" width="time" sort={sort} sorts={sorts} />
            <Heading name="updated_at" label="changed" width="time" sort={sort} sorts={sorts} />
          </tr>
        </thead>
        <tbody {...ROW_GROUP} style={{ height: `${count * rowHeight}px`, paddingTop: `${before}px` }}>
          {rows.map(({ index, key }) => rowOf(view?.at(index) ?? null, index + 1, key))}
        </tbody>
      </table>
    </Scrolled>
  )
}
