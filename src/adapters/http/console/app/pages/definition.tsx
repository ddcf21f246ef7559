import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { call, fault, misfitsOf, raw, save } from '../api.ts'
import { useSession } from '../context.ts'
import {
  type DefinitionDraft,
  definitionOf,
  draftOf,
  EMPTY_DRAFT,
  newField,
  repeatedName,
  transformOf,
  withNewIds,
} from '../definition-draft.ts'
import { DefinitionForm } from '../definition-form.tsx'
import { Confirm } from '../dialog.tsx'
import { JsonEditor } from '../json-editor.tsx'
import { DraftOffer, type Kept, useKeptDraft } from '../kept-draft.tsx'
import { useAction, useLoad } from '../loading.ts'
import { hrefOf, navigate } from '../router.ts'
import { PageHead } from '../shell.tsx'
import { useTypedCheck } from '../typed-check.ts'
import type { Definition } from '../types.ts'
import { Button, count, Failure, Loading } from '../ui.tsx'

interface Stored {
  readonly definition: Definition | null
  readonly etag: string | null
}

const load = async (name: string | null): Promise<Stored> => {
  if (name === null) return { definition: null, etag: null }
  const response = await raw('GET', `/collections/${name}`)
  return { definition: await response.json(), etag: response.headers.get('etag') }
}

const startOf = (definition: Definition | null): DefinitionDraft => {
  if (definition === null) return { ...EMPTY_DRAFT, fields: [newField()] }
  return draftOf(definition, Object.keys(definition.schema.properties ?? {}))
}

const textOf = (draft: DefinitionDraft): string => JSON.stringify(definitionOf(draft), null, 2)

const parsed = (text: string): ReturnType<typeof draftOf> | string => {
  try {
    const value = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'Expected an object'
    return draftOf(value)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const Misfits = ({ error }: { error: Error | null }) => {
  const misfits = misfitsOf(error)
  if (misfits.length === 0) return null
  return (
    <ul class="misfits">
      {misfits.map(({ id, errors }) => (
        <li key={id}>
          Record {id}: {errors.map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail}`).join('; ')}
        </li>
      ))}
    </ul>
  )
}

type View = 'form' | 'json'

const Tabs = ({ view, onChange }: { view: View; onChange: (view: View) => void }) => (
  <fieldset class="tabs">
    <legend class="hidden">Edit as</legend>
    {(['form', 'json'] as const).map((each) => (
      <button key={each} type="button" aria-pressed={view === each} onClick={() => onChange(each)}>
        {each === 'form' ? 'Form' : 'JSON'}
      </button>
    ))}
  </fieldset>
)

/** What is kept of a definition that is edited. */
type Edited =
  | { readonly view: 'form'; readonly draft: DefinitionDraft }
  | { readonly view: 'json'; readonly text: string }

/** A definition while it is edited, as a form or as JSON. */
const useEditing = ({ definition, etag }: Stored) => {
  const [view, setView] = useState<View>('form')
  const [draft, setDraft] = useState(() => startOf(definition))
  const [text, setText] = useState(() => textOf(draft))
  const [base, setBase] = useState(etag)
  const start = useRef(text).current
  const isBuiltIn = definition?.built_in ?? false
  const current = view === 'json' ? text : textOf(draft)
  const isChanged = !isBuiltIn && current !== start
  const edited = view === 'json' ? parsed(text) : draft
  const kept = useKeptDraft<Edited>(
    definition === null ? 'new-collection' : `collections/${definition.name}/definition`,
  )
  const { keep } = kept
  // Not after the next frame: the session may end before.
  useLayoutEffect(() => {
    const now: Edited = view === 'json' ? { view, text } : { view, draft }
    keep(isChanged ? { base, draft: now } : null)
  }, [isChanged, base, view, text, draft, keep])

  const show = (next: View) => {
    if (next === view) return
    if (next === 'json') setText(textOf(draft))
    else if (typeof edited !== 'string') {
      const former = Object.keys(definition?.schema.properties ?? {})
      setDraft(draftOf({ ...definitionOf(edited), name: edited.name }, former))
    } else return
    setView(next)
  }

  /** Goes on with what was kept. It is saved only if the definition is still the one that it changes. */
  const take = ({ base: former, draft: before }: Kept<Edited>) => {
    setBase(former)
    setView(before.view)
    if (before.view === 'json') setText(before.text)
    else setDraft(withNewIds(before.draft))
  }

  return { view, draft, text, base, start, isBuiltIn, current, isChanged, edited, kept, show, take, setDraft, setText }
}

interface DeletingProps {
  readonly definition: Definition
  readonly onClose: () => void
  readonly onDeleted: () => void
}

const Deleting = ({ definition: { name, records }, onClose, onDeleted }: DeletingProps) => (
  <Confirm
    title={`Delete ${name}?`}
    action={records === 0 ? 'Delete collection' : `Delete collection and ${count(records)} records`}
    onClose={onClose}
    onConfirm={async () => {
      await call('DELETE', `/collections/${name}`, { query: { records } })
      onDeleted()
    }}
  >
    <p>The definition and {count(records)} records are deleted. This cannot be undone.</p>
  </Confirm>
)

const Editing = ({ stored }: { stored: Stored }) => {
  const { definition } = stored
  const { collections } = useSession()
  const { view, draft, text, base, start, isBuiltIn, current, isChanged, edited, kept, ...editing } = useEditing(stored)
  const [isDeleting, setDeleting] = useState(false)
  const name = definition?.name ?? (typeof edited === 'string' ? '' : edited.name)
  const isChecked = isChanged && name !== '' && typeof edited !== 'string'
  const checked = useTypedCheck(isChecked ? `${name} ${current}` : null, (signal) =>
    call('POST', `/collections/${encodeURIComponent(name)}/check`, { json: JSON.parse(current), signal }),
  )
  const leave = (path: string) => {
    kept.forget()
    collections.reload()
    navigate(path)
  }
  const { run, isRunning, error } = useAction(async () => {
    const repeated = typeof edited === 'string' ? null : repeatedName(edited)
    if (typeof edited === 'string') throw new Error(edited)
    if (repeated !== null) throw new Error(`Two fields have the name ${repeated}`)
    if (name === '') throw fault('A name is missing', [{ pointer: '/name', detail: 'Expected a name' }])
    const transform = view === 'form' && definition !== null && definition.records > 0 ? transformOf(draft) : []
    const json = { ...JSON.parse(current), ...(transform.length === 0 ? {} : { transform }) }
    const condition = base === null ? { 'if-none-match': '*' } : { 'if-match': base }
    await raw('PUT', `/collections/${encodeURIComponent(name)}`, { json, headers: condition })
    leave(`collections/${name}`)
  })
  const shown = error ?? checked
  return (
    <>
      <PageHead
        title={definition === null ? 'New collection' : `Definition of ${definition.name}`}
        about={isBuiltIn ? 'This collection is built in and cannot be changed.' : undefined}
      >
        <Tabs view={view} onChange={editing.show} />
        {definition !== null && (
          <Button
            icon="download"
            onClick={() => save(new Blob([`${start}\n`], { type: 'application/json' }), `${name}.json`)}
          >
            Export
          </Button>
        )}
        {definition !== null && !isBuiltIn && (
          <Button kind="danger" onClick={() => setDeleting(true)}>
            Delete
          </Button>
        )}
      </PageHead>
      <DraftOffer
        kept={kept}
        base={stored.etag}
        ifChanged="The definition has been changed since: it cannot be saved over that change."
        onTake={editing.take}
      />
      {view === 'json' ? (
        <div class="card">
          <JsonEditor text={text} label="Definition in JSON" isReadOnly={isBuiltIn} onChange={editing.setText} />
        </div>
      ) : (
        <DefinitionForm
          draft={draft}
          isNew={definition === null}
          isReadOnly={isBuiltIn}
          error={shown}
          onChange={editing.setDraft}
        />
      )}
      {!isBuiltIn && (
        <div class="save-bar">
          <div class="save-message">
            <Failure
              error={view === 'json' || error !== null ? shown : null}
              shown={view === 'json' ? [] : ['/name']}
            />
            <Misfits error={error} />
          </div>
          <Button kind="primary" isBusy={isRunning} onClick={() => void run()}>
            {definition === null ? 'Create collection' : 'Save definition'}
          </Button>
          <a
            class="button plain"
            href={hrefOf(definition === null ? 'collections' : `collections/${definition.name}`)}
            onClick={kept.forget}
          >
            Cancel
          </a>
        </div>
      )}
      {isDeleting && definition !== null && (
        <Deleting definition={definition} onClose={() => setDeleting(false)} onDeleted={() => leave('collections')} />
      )}
    </>
  )
}

/** Defines a collection, or changes its definition. */
export const DefinitionPage = ({ name }: { name: string | null }) => {
  const { data, error, reload } = useLoad(`definition ${name}`, () => load(name))
  if (data !== null) return <Editing stored={data} />
  return error === null ? <Loading /> : <Failure error={error} onRetry={reload} />
}
