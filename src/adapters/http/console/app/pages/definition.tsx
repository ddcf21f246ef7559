import { useRef, useState } from 'preact/hooks'
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
} from '../definition-draft.ts'
import { DefinitionForm } from '../definition-form.tsx'
import { JsonEditor } from '../json-editor.tsx'
import { useAction, useLoad } from '../loading.ts'
import { hrefOf, navigate } from '../router.ts'
import { PageHead } from '../shell.tsx'
import { useTypedCheck } from '../typed-check.ts'
import type { Definition } from '../types.ts'
import { Confirm } from '../dialog.tsx'
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

const Editing = ({ stored: { definition, etag } }: { stored: Stored }) => {
  const { collections } = useSession()
  const [view, setView] = useState<View>('form')
  const [draft, setDraft] = useState(() => startOf(definition))
  const [text, setText] = useState(() => textOf(draft))
  const [isDeleting, setDeleting] = useState(false)
  const start = useRef(text)
  const isBuiltIn = definition?.built_in ?? false
  const fromText = view === 'json' ? parsed(text) : draft
  const name = definition?.name ?? (typeof fromText === 'string' ? '' : fromText.name)
  const current = view === 'json' ? text : textOf(draft)
  const isChanged = current !== start.current
  const isChecked = !isBuiltIn && isChanged && name !== '' && typeof fromText !== 'string'
  const checked = useTypedCheck(isChecked ? `${name} ${current}` : null, (signal) =>
    call('POST', `/collections/${encodeURIComponent(name)}/check`, { json: JSON.parse(current), signal }),
  )
  const { run, isRunning, error } = useAction(async () => {
    const repeated = typeof fromText === 'string' ? null : repeatedName(fromText)
    if (typeof fromText === 'string') throw new Error(fromText)
    if (repeated !== null) throw new Error(`Two fields have the name ${repeated}`)
    if (name === '') throw fault('A name is missing', [{ pointer: '/name', detail: 'Expected a name' }])
    const transform = view === 'form' && definition !== null && definition.records > 0 ? transformOf(draft) : []
    const json = { ...JSON.parse(current), ...(transform.length === 0 ? {} : { transform }) }
    const condition = etag === null ? { 'if-none-match': '*' } : { 'if-match': etag }
    await raw('PUT', `/collections/${encodeURIComponent(name)}`, { json, headers: condition })
    collections.reload()
    navigate(`collections/${name}`)
  })
  const show = (next: View) => {
    if (next === view) return
    if (next === 'json') setText(textOf(draft))
    else if (typeof fromText !== 'string') {
      const former = Object.keys(definition?.schema.properties ?? {})
      setDraft(draftOf({ ...definitionOf(fromText), name: fromText.name }, former))
    } else return
    setView(next)
  }
  const shown = error ?? checked
  return (
    <>
      <PageHead
        title={definition === null ? 'New collection' : `Definition of ${definition.name}`}
        about={isBuiltIn ? 'This collection is built in and cannot be changed.' : undefined}
      >
        <Tabs view={view} onChange={show} />
        {definition !== null && (
          <Button
            icon="download"
            onClick={() => save(new Blob([`${start.current}\n`], { type: 'application/json' }), `${name}.json`)}
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
      {view === 'json' ? (
        <div class="card">
          <JsonEditor text={text} label="Definition in JSON" isReadOnly={isBuiltIn} onChange={setText} />
        </div>
      ) : (
        <DefinitionForm
          draft={draft}
          isNew={definition === null}
          isReadOnly={isBuiltIn}
          error={shown}
          onChange={setDraft}
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
          <a class="button plain" href={hrefOf(definition === null ? 'collections' : `collections/${definition.name}`)}>
            Cancel
          </a>
        </div>
      )}
      {isDeleting && definition !== null && (
        <Confirm
          title={`Delete ${definition.name}?`}
          action={
            definition.records === 0
              ? 'Delete collection'
              : `Delete collection and ${count(definition.records)} records`
          }
          onClose={() => setDeleting(false)}
          onConfirm={async () => {
            await call('DELETE', `/collections/${definition.name}`, { query: { records: definition.records } })
            collections.reload()
            navigate('collections')
          }}
        >
          <p>The definition and {count(definition.records)} records are deleted. This cannot be undone.</p>
        </Confirm>
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
