import { useSession } from './context.ts'
import { Picture } from './picture.tsx'
import { type FieldOf, fieldsOf, labelOf, sortsOf } from './records.ts'
import { setQuery } from './router.ts'
import type { Definition, RecordBody } from './types.ts'
import { Icon, Scrolled, Time } from './ui.tsx'

/** The rest of a longer text is in the record itself. */
const MAX_CELL_LENGTH = 120

const short = (text: string): string => (text.length <= MAX_CELL_LENGTH ? text : `${text.slice(0, MAX_CELL_LENGTH)}…`)

const None = () => <span class="quiet">—</span>

interface CellProps {
  readonly field: FieldOf
  readonly record: RecordBody
}

const expandedOf = (record: RecordBody, name: string): readonly unknown[] => {
  const { expanded } = record
  if (typeof expanded !== 'object' || expanded === null) return []
  const found: unknown = Reflect.get(expanded, name)
  return Array.isArray(found) ? found : found === null || found === undefined ? [] : [found]
}

const idsOf = (value: unknown): readonly number[] =>
  (Array.isArray(value) ? value : [value]).filter((id): id is number => typeof id === 'number')

const hasId = (value: unknown, id: number): boolean =>
  typeof value === 'object' && value !== null && 'id' in value && value.id === id

const References = ({ field, record, target }: CellProps & { target: string }) => {
  const { collections } = useSession()
  const ids = idsOf(record[field.name])
  if (ids.length === 0) return <None />
  if (target === 'files') {
    return (
      <>
        {ids.map((id) => (
          <span key={id} class="chip">
            <Picture id={id} />#{id}
          </span>
        ))}
      </>
    )
  }
  const known = expandedOf(record, field.name)
  const definition = collections.data?.find(({ name }) => name === target)
  return (
    <>
      {ids.map((id) => (
        <span key={id} class="chip">
          <bdi>
            {short(
              labelOf(
                target,
                known.find((each) => hasId(each, id)),
                definition,
              ) || `#${id}`,
            )}
          </bdi>
        </span>
      ))}
    </>
  )
}

const Cell = ({ field, record }: CellProps) => {
  const value = record[field.name]
  const target = field.schema['x-ref']
  if (value === null || value === undefined) return <None />
  if (target !== undefined) return <References field={field} record={record} target={target} />
  if (typeof value === 'boolean')
    return value ? (
      <span class="yes">
        <Icon name="check" />
        Yes
      </span>
    ) : (
      <span class="quiet">No</span>
    )
  if (typeof value === 'string') {
    if (value === '') return <span class="quiet">empty</span>
    if (field.schema.format === 'date-time') return <Time value={value} />
    return <bdi>{short(value)}</bdi>
  }
  if (typeof value === 'number') return <>{value}</>
  return <code>{short(JSON.stringify(value))}</code>
}

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

interface TableProps {
  readonly definition: Definition
  readonly records: readonly RecordBody[]
  readonly sort: string
  readonly isLoading: boolean
}

/** One page of records; each row opens its record. */
export const RecordTable = ({ definition, records, sort, isLoading }: TableProps) => {
  const fields = fieldsOf(definition)
  const sorts = sortsOf(definition)
  const open = ({ id }: RecordBody) => setQuery({ record: String(id) })
  return (
    <Scrolled label={`Records of ${definition.name}`} isLoading={isLoading}>
      <table class="records">
        <thead>
          <tr>
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
          {records.map((record) => (
            // The button in the first cell does the same by keyboard.
            <tr key={record.id} onClick={() => open(record)}>
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
                {record.owner_id === null ? (
                  <None />
                ) : (
                  <bdi>
                    {short(labelOf('users', expandedOf(record, 'owner')[0], undefined) || `#${record.owner_id}`)}
                  </bdi>
                )}
              </td>
              <td class="nowrap">
                <Time value={record.created_at} />
              </td>
              <td class="nowrap">
                <Time value={record.updated_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  )
}
