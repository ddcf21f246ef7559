import { useState } from 'preact/hooks'
import { call } from './api.ts'
import { useAction, useLoad } from './loading.ts'
import { pathOf } from './records.ts'
import type { Definition, Page, RecordBody } from './types.ts'
import { Button, Failure, Loading, Time } from './ui.tsx'

interface Version {
  readonly version: number
  readonly change: 'created' | 'updated' | 'deleted'
  readonly created_at: string
  readonly actor: { readonly id: number; readonly name: string | null } | null
  readonly job_id: number | null
  readonly changes: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>> | null
}

/** Returns to a version of a record, or restores it. */
export const revert = (collection: string, id: number, version: number): Promise<RecordBody> =>
  call('POST', `${pathOf(collection)}${id}/revert`, { json: { version } })

const authorOf = ({ actor, job_id: job }: Version): string => {
  const name = actor === null ? 'the server' : (actor.name ?? `#${actor.id}, whose account is gone`)
  return job === null ? name : `job ${job}`
}

const MAX_VALUE_CHARACTERS = 200

const shown = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > MAX_VALUE_CHARACTERS ? `${text.slice(0, MAX_VALUE_CHARACTERS)}…` : text
}

const Changes = ({ changes }: Pick<Version, 'changes'>) => {
  if (changes === null) return <p class="quiet">The version before is not known.</p>
  return (
    <dl class="changes">
      {Object.entries(changes).map(([name, { from, to }]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {from !== null && <del>{shown(from)}</del>} {to !== null && <ins>{shown(to)}</ins>}
          </dd>
        </div>
      ))}
    </dl>
  )
}

interface HistoryProps {
  readonly definition: Definition
  readonly record: RecordBody
  readonly onReverted: () => void
}

const Versions = ({ definition: { name }, record, onReverted }: HistoryProps) => {
  const [pages, setPages] = useState<readonly (string | null)[]>([null])
  const { data, error } = useLoad(`history ${name} ${record.id} ${record.version} ${pages.length}`, async () => {
    const read = await Promise.all(
      pages.map((cursor) => {
        const query = cursor === null ? {} : { cursor }
        return call<Page<Version>>('GET', `${pathOf(name)}${record.id}/history`, { query })
      }),
    )
    return { versions: read.flatMap(({ items }) => items), next: read.at(-1)?.next_cursor ?? null }
  })
  const {
    run,
    isRunning,
    error: refusal,
  } = useAction(async (version: number) => {
    await revert(name, record.id, version)
    onReverted()
  })
  if (data === null) return error === null ? <Loading /> : <Failure error={error} />
  return (
    <>
      <Failure error={refusal ?? error} />
      <ol class="versions">
        {data.versions.map((version) => (
          <li key={`${version.version} ${version.change}`}>
            <div class="version-head">
              <strong>Version {version.version}</strong>
              <span class="quiet">
                {version.change} by <bdi>{authorOf(version)}</bdi>, <Time value={version.created_at} />
              </span>
              {version.version !== record.version && version.change !== 'deleted' && (
                <Button isBusy={isRunning} onClick={() => void run(version.version)}>
                  Return to version {version.version}
                </Button>
              )}
            </div>
            <Changes changes={version.changes} />
          </li>
        ))}
      </ol>
      {data.next !== null && <Button onClick={() => setPages([...pages, data.next])}>Earlier versions</Button>}
    </>
  )
}

/** Who changed what in a record, and the way back. */
export const RecordHistory = (props: HistoryProps) => {
  const [isOpen, setOpen] = useState(false)
  return (
    <details class="history" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>History</summary>
      {isOpen && <Versions {...props} />}
    </details>
  )
}
