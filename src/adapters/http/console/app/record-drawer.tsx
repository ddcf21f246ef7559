import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { client, fault, SkepError } from './api.ts'
import { Confirm, Dialog } from './dialog.tsx'
import { DialogForm } from './dialog-form.tsx'
import { DraftOffer, type KeptDraft, useKeptDraft } from './kept-draft.tsx'
import { useAction, useLoad } from './loading.ts'
import { changesOf, type Draft, draftOf, rebased, typedOf } from './record-draft.ts'
import { RecordField } from './record-field.tsx'
import { RecordHistory } from './record-history.tsx'
import { fieldsOf } from './records.ts'
import type { Definition, RecordBody } from './types.ts'
import { Button, Failure, faultsAt, Loading, Time } from './ui.tsx'

interface DrawerProps {
  readonly definition: Definition
  readonly id: number | null
  readonly onClose: () => void
  readonly onSaved: () => void
  readonly onDeleted: (record: RecordBody) => void
}

interface FormProps extends DrawerProps {
  /** As stored; null for a new one. */
  readonly record: RecordBody | null
  /** Reads the record again, which keeps what was typed. */
  readonly onReload: () => void
  readonly onDirty: (isDirty: boolean) => void
  readonly kept: KeptDraft<Draft>
}

const Facts = ({ record }: { record: RecordBody }) => (
  <dl class="facts">
    <dt>Version</dt>
    <dd>{record.version}</dd>
    <dt>Owner</dt>
    <dd>{record.owner_id === null ? 'none' : `#${record.owner_id}`}</dd>
    <dt>Created</dt>
    <dd>
      <Time value={record.created_at} />
    </dd>
    <dt>Changed</dt>
    <dd>
      <Time value={record.updated_at} />
    </dd>
  </dl>
)

/** What is typed into the form of a record, kept for after the session and rebased on each version that is read. */
const useRecordDraft = ({ definition, record, kept: { keep } }: Pick<FormProps, 'definition' | 'record' | 'kept'>) => {
  const fields = useMemo(() => fieldsOf(definition), [definition])
  const [draft, setDraft] = useState<Draft>(() => draftOf(fields, record))
  const base = useRef(record)
  useEffect(() => {
    const former = base.current
    base.current = record
    if (former !== record) setDraft((before) => rebased(fields, before, former, record))
  }, [record, fields])
  const version = record === null ? null : String(record.version)
  // Not after the next frame: the session may end before.
  useLayoutEffect(() => {
    const typed = typedOf(fields, draft, record)
    keep(typed && { base: version, draft: typed })
  }, [fields, draft, record, version, keep])
  return { fields, draft, setDraft, version }
}

const RecordForm = (props: FormProps) => {
  const { definition, id, record, onClose, onSaved, onDeleted, onReload, onDirty, kept } = props
  const { fields, draft, setDraft, version } = useRecordDraft(props)
  const [isDeleting, setDeleting] = useState(false)
  const records = client.collection(definition.name)
  const saving = useAction(async () => {
    const { values, faults } = changesOf(fields, draft, record)
    if (faults.length > 0) throw fault('Some fields cannot be read', faults)
    if (record === null) await records.create(values)
    else await records.update(record.id, values, { version: record.version })
    onSaved()
    onClose()
  })
  const { error } = saving
  const isOutdated = error instanceof SkepError && error.code === 'version_mismatch'
  return (
    <>
      <DialogForm
        action={record === null ? 'Create' : 'Save'}
        saving={saving}
        shown={fields.map(({ name }) => `/${name}`)}
        onClose={onClose}
        buttons={
          <>
            {isOutdated && <Button onClick={onReload}>Read the new version and keep my changes</Button>}
            {record !== null && (
              <Button kind="danger" onClick={() => setDeleting(true)}>
                Delete
              </Button>
            )}
          </>
        }
      >
        <DraftOffer
          kept={kept}
          base={version}
          ifChanged="The record has been changed since; fields that you did not change stay as they are now."
          onTake={(typed) => {
            onDirty(true)
            setDraft((before) => ({ ...before, ...typed.draft }))
          }}
        />
        {fields.length === 0 && <p class="quiet">This collection has no fields.</p>}
        {fields.map((field) => (
          <RecordField
            key={field.name}
            field={field}
            value={draft[field.name]}
            fault={faultsAt(error, `/${field.name}`)}
            onChange={(value) => {
              onDirty(true)
              setDraft((before) => ({ ...before, [field.name]: value }))
            }}
          />
        ))}
        {record !== null && <Facts record={record} />}
        {record !== null && (
          <RecordHistory
            definition={definition}
            record={record}
            onReverted={() => {
              onReload()
              onSaved()
            }}
          />
        )}
      </DialogForm>
      {isDeleting && record !== null && (
        <Confirm
          title={`Delete ${definition.singular} ${id}?`}
          action="Delete"
          onClose={() => setDeleting(false)}
          onConfirm={async () => {
            await records.delete(record.id)
            onDeleted(record)
            onClose()
          }}
        >
          <p>What references it may be deleted with it. You can undo this for the record itself.</p>
        </Confirm>
      )}
    </>
  )
}

/** One record as a form, or a new one. */
export const RecordDrawer = (props: DrawerProps) => {
  const { definition, id } = props
  const kept = useKeptDraft<Draft>(`collections/${definition.name}/${id ?? 'new'}`)
  const onClose = () => {
    kept.forget()
    props.onClose()
  }
  const { data, error, reload } = useLoad(`record ${id}`, async () => ({
    record: id === null ? null : await client.collection(definition.name).get(id),
  }))
  const [isDirty, setDirty] = useState(false)
  const [isLeaving, setLeaving] = useState(false)
  const title = id === null ? `New ${definition.singular}` : `${definition.singular} ${id}`
  return (
    <Dialog kind="drawer" title={title} onClose={() => (isDirty ? setLeaving(true) : onClose())}>
      {data !== null ? (
        <RecordForm
          {...props}
          record={data.record}
          kept={kept}
          onClose={onClose}
          onReload={reload}
          onDirty={setDirty}
        />
      ) : (
        <div class="dialog-body">{error === null ? <Loading /> : <Failure error={error} onRetry={reload} />}</div>
      )}
      {isLeaving && (
        <Confirm
          title="Discard your changes?"
          action="Discard"
          onClose={() => setLeaving(false)}
          onConfirm={async () => onClose()}
        >
          <p>What you typed has not been saved.</p>
        </Confirm>
      )}
    </Dialog>
  )
}
