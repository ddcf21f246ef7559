import { useSession } from './context.ts'
import { Picture } from './picture.tsx'
import { labelOf } from './records.ts'
import type { FieldOf, RecordBody } from './types.ts'
import { Icon, Time } from './ui.tsx'

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

/** The value of a field, on one line. */
export const Cell = ({ field, record }: CellProps) => {
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
    return <>{short(value)}</>
  }
  if (typeof value === 'number') return <>{value}</>
  return <code>{short(JSON.stringify(value))}</code>
}

/** Whose record it is. */
export const Owner = ({ record }: { record: RecordBody }) =>
  record.owner_id === null ? (
    <None />
  ) : (
    short(labelOf('users', expandedOf(record, 'owner')[0], undefined) || `#${record.owner_id}`)
  )
