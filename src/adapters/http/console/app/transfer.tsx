import { useEffect, useRef, useState } from 'preact/hooks'
import { raw, save } from './api.ts'
import { Dialog } from './dialog.tsx'
import { partsOf } from './import-parts.ts'
import { useAction } from './loading.ts'
import { pathOf } from './records.ts'
import type { Definition, Fault } from './types.ts'
import { Button, count, Failure } from './ui.tsx'

interface RefusedLine {
  readonly line: number
  readonly detail: string
  readonly errors: readonly Fault[]
}

interface Imported {
  readonly created: number
  readonly refused: number
  /** The first of them. */
  readonly lines: readonly RefusedLine[]
}

interface Progress {
  /** From 0 to 1. */
  readonly share: number
  readonly records: number
}

const NDJSON_TYPE = 'application/x-ndjson'
const NEWLINE = 10
const MAX_SHOWN_LINES_COUNT = 200

const NOTHING: Imported = { created: 0, refused: 0, lines: [] }

const numbered = (linesBefore: number) => (each: RefusedLine) => ({ ...each, line: linesBefore + each.line })

interface Transfer {
  readonly signal: AbortSignal
  readonly onProgress: (progress: Progress) => void
}

/** All records as NDJSON. */
const exportRecords = async ({ name, records: total }: Definition, { signal, onProgress }: Transfer): Promise<Blob> => {
  const response = await raw('GET', `${pathOf(name)}export`, { signal })
  const chunks: BlobPart[] = []
  let records = 0
  const reader = response.body?.getReader()
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    for (const byte of part.value) if (byte === NEWLINE) records++
    chunks.push(part.value)
    onProgress({ share: Math.min(1, records / Math.max(1, total)), records })
  }
  return new Blob(chunks, { type: NDJSON_TYPE })
}

/**
 * Imports the lines of a file, some at a time. Yields what has become of all lines so far. It is stopped between two
 * parts, because nobody would know what had become of one that is interrupted.
 */
const importRecords = async function* (name: string, file: File, { signal, onProgress }: Transfer) {
  let all = NOTHING
  for await (const { body, linesBefore, share } of partsOf(file)) {
    if (signal.aborted) return
    const headers = { 'content-type': NDJSON_TYPE }
    const response = await raw('POST', `${pathOf(name)}import`, { body, headers })
    const { created, refused, lines }: Imported = await response.json()
    all = {
      created: all.created + created,
      refused: all.refused + refused,
      lines: [...all.lines, ...lines.map(numbered(linesBefore))].slice(0, MAX_SHOWN_LINES_COUNT),
    }
    onProgress({ share, records: all.created })
    yield all
  }
}

const Result = ({ result: { created, refused, lines }, isWhole }: { result: Imported; isWhole: boolean }) => (
  <div role="status" class="result">
    <p class={isWhole ? 'message done' : 'message'}>
      {count(created)} {created === 1 ? 'record was' : 'records were'} created
      {isWhole ? '.' : ' before the import ended early.'}
    </p>
    {refused > 0 && (
      <div class="message error">
        <p>
          {count(refused)} {refused === 1 ? 'line was' : 'lines were'} refused
          {refused > lines.length ? `, of which these are the first ${count(lines.length)}:` : ':'}
        </p>
        <ul>
          {lines.map(({ line, detail, errors }) => (
            <li key={line}>
              Line {line}: {detail}
              {errors.map((fault) => ` ${fault.pointer}: ${fault.detail}`).join(';')}
            </li>
          ))}
        </ul>
      </div>
    )}
  </div>
)

interface RunningProps {
  readonly verb: string
  readonly progress: Progress
  readonly onStop: () => void
}

const Running = ({ verb, progress: { share, records }, onStop }: RunningProps) => (
  <div class="running">
    <progress aria-label="Progress" max={1} value={share} />
    <span class="quiet">
      {Math.round(share * 100)}% · {count(records)} {verb}
    </span>
    <Button onClick={onStop}>Stop</Button>
  </div>
)

const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError'

/** One import or export at a time, with its progress, which its person can stop. */
const useTransfer = <A extends readonly unknown[]>(transfer: (options: Transfer, ...args: A) => Promise<void>) => {
  const [progress, setProgress] = useState<Progress | null>(null)
  const controller = useRef<AbortController | null>(null)
  useEffect(() => () => controller.current?.abort(), [])
  const { run, error } = useAction(async (...args: A) => {
    const own = new AbortController()
    controller.current = own
    setProgress({ share: 0, records: 0 })
    try {
      await transfer({ signal: own.signal, onProgress: setProgress }, ...args)
    } catch (failure) {
      if (!isAbort(failure)) throw failure
    } finally {
      setProgress(null)
    }
  })
  return { run, error, progress, stop: () => controller.current?.abort() }
}

interface Props {
  readonly definition: Definition
  readonly onImported: () => void
}

const Export = ({ definition }: { definition: Definition }) => {
  const { name, records } = definition
  const exporting = useTransfer(async (transfer) => save(await exportRecords(definition, transfer), `${name}.ndjson`))
  return (
    <section aria-labelledby="export">
      <h3 id="export">Export</h3>
      <p class="quiet">All {count(records)} records as NDJSON: one record in JSON on each line.</p>
      {exporting.progress === null ? (
        <Button icon="download" onClick={() => void exporting.run()}>
          Export
        </Button>
      ) : (
        <Running verb="read" progress={exporting.progress} onStop={exporting.stop} />
      )}
      <Failure error={exporting.error} />
    </section>
  )
}

const Import = ({ definition: { name }, onImported }: Props) => {
  const [state, setState] = useState<{ result: Imported; isWhole: boolean } | null>(null)
  const importing = useTransfer(async (transfer, file: File) => {
    let result = NOTHING
    setState(null)
    try {
      for await (result of importRecords(name, file, transfer)) setState({ result, isWhole: false })
      setState({ result, isWhole: !transfer.signal.aborted })
    } finally {
      onImported()
    }
  })
  return (
    <section aria-labelledby="import">
      <h3 id="import">Import</h3>
      <p class="quiet">
        NDJSON with the fields of one record on each line. Lines that are refused are listed, and do not keep the others
        from being created.
      </p>
      {importing.progress === null ? (
        <label class="button plain">
          Choose a file
          <input
            type="file"
            class="hidden"
            accept=".ndjson,.jsonl,application/x-ndjson"
            onChange={({ currentTarget }) => {
              const [file] = currentTarget.files ?? []
              if (file !== undefined) void importing.run(file)
            }}
          />
        </label>
      ) : (
        <Running verb="created" progress={importing.progress} onStop={importing.stop} />
      )}
      <Failure error={importing.error} />
      {state !== null && importing.progress === null && <Result {...state} />}
    </section>
  )
}

/** A button that opens import and export. */
export const TransferMenu = (props: Props) => {
  const { definition } = props
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button icon="transfer" onClick={() => setOpen(true)}>
        Import / export
      </Button>
      {isOpen && (
        <Dialog title={`Import and export ${definition.name}`} onClose={() => setOpen(false)}>
          <div class="dialog-body">
            <Export definition={definition} />
            <Import {...props} />
          </div>
        </Dialog>
      )}
    </>
  )
}
