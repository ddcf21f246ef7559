import { useSession } from '../context.ts'
import { hrefOf } from '../router.ts'
import { PageHead } from '../shell.tsx'
import type { Definition } from '../types.ts'
import { count, Empty, Failure, Icon, Loading, Scrolled, Time } from '../ui.tsx'

const Row = ({ definition: { name, records, schema, updated_at, built_in } }: { definition: Definition }) => (
  <tr>
    <th scope="row">
      <a href={hrefOf(`collections/${name}`)}>{name}</a>
      {built_in && <span class="badge">Built in</span>}
    </th>
    <td class="number">{count(records)}</td>
    <td class="number">{Object.keys(schema.properties ?? {}).length}</td>
    <td>{updated_at === null ? <span class="quiet">—</span> : <Time value={updated_at} />}</td>
    <td class="end">
      <a href={hrefOf(`collections/${name}/definition`)} aria-label={`Definition of ${name}`}>
        Definition
      </a>
    </td>
  </tr>
)

export const CollectionsPage = () => {
  const { data, error, isLoading, reload } = useSession().collections
  return (
    <>
      <PageHead title="Collections" about="Each is a kind of record, with a schema, rules and indexes.">
        <a class="button primary" href={hrefOf('new-collection')}>
          <Icon name="plus" />
          New collection
        </a>
      </PageHead>
      {data !== null && <Failure error={error} onRetry={reload} />}
      {data === null && isLoading && <Loading />}
      {data !== null && (
        <Scrolled label="All collections">
          <table>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col" class="number">
                  Records
                </th>
                <th scope="col" class="number">
                  Fields
                </th>
                <th scope="col">Changed</th>
                <td />
              </tr>
            </thead>
            <tbody>
              {data.map((definition) => (
                <Row key={definition.name} definition={definition} />
              ))}
            </tbody>
          </table>
        </Scrolled>
      )}
      {data?.every(({ built_in }) => built_in) && (
        <Empty icon="collection" title="Define your first collection">
          <p>A task, an order, a message: give its fields a type and say who may read and change it.</p>
          <a class="button primary" href={hrefOf('new-collection')}>
            <Icon name="plus" />
            New collection
          </a>
        </Empty>
      )}
    </>
  )
}
