import { useState } from 'preact/hooks'
import { raw, save, sendFile } from './api.ts'
import { useAction } from './loading.ts'
import { pathOf } from './records.ts'
import type { Definition, Fault } from './types.ts'
import { Button, count, Dialog, Failure } from './ui.tsx'

interface Imported {
  readonly created: number
  readonly refused: number
  readonly lines: readonly { readonly line: number; readonly detail: string; readonly errors: readonly Fault[] }[]
}

const NEWLINE = 10

/** All records as NDJSON. `onProgress` is called with the number of those that have arrived. */
const exportRecords = async (name: string, onProgress: (records: number) => void): Promise<Blob> => {
  const response = await raw('GET', `${pathOf(name)}export`)
  const chunks: BlobPart[] = []
  let records = 0
  const reader = response.body?.getReader()
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    for (const byte of part.value) if (byte === NEWLINE) records++
    chunks.push(part.value)
    onProgress(records)
  }
  return new Blob(chunks, { type: 'application/x-ndjson' })
}

const importRecords = (name: string, file: File, onProgress: (share: number) => void): Promise<Imported> =>
  sendFile(`${pathOf(name)}import`, { file, type: 'application/x-ndjson', onProgress })

const Result = ({ result: { created, refused, lines } }: { result: Imported }) => (
  <div role="status" class="result">
    <p class="message done">
      {count(created)} {created === 1 ? 'record was' : 'records were'} created.
    </p>
    {refused > 0 && (
      <div class="message error">
        <p>
          {count(refused)} {refused === 1 ? 'line was' : 'lines were'} refused:
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

interface Props {
  readonly definition: Definition
  readonly onImported: () => void
}

const TransferDialog = ({ definition: { name, records }, onImported, onClose }: Props & { onClose: () => void }) => {
  const [progress, setProgress] = useState<number | null>(null)
  const [result, setResult] = useState<Imported | null>(null)
  const exporting = useAction(async () => {
    setProgress(0)
    try {
      save(await exportRecords(name, (arrived) => setProgress(arrived / Math.max(1, records))), `${name}.ndjson`)
    } finally {
      setProgress(null)
    }
  })
  const importing = useAction(async (file: File) => {
    setResult(null)
    setProgress(0)
    try {
      setResult(await importRecords(name, file, setProgress))
      onImported()
    } finally {
      setProgress(null)
    }
  })
  return (
    <Dialog title={`Import and export ${name}`} onClose={onClose}>
      <div class="dialog-body">
        <h3>Export</h3>
        <p class="quiet">All {count(records)} records as NDJSON: one record in JSON on each line.</p>
        <Button icon="download" isBusy={exporting.isRunning} onClick={() => void exporting.run()}>
          Export
        </Button>
        <h3>Import</h3>
        <p class="quiet">NDJSON with the fields of one record on each line. Lines that are refused are listed.</p>
        <label class="button plain">
          Choose a file
          <input
            type="file"
            class="hidden"
            accept=".ndjson,.jsonl,application/x-ndjson"
            disabled={importing.isRunning}
            onChange={({ currentTarget }) => {
              const [file] = currentTarget.files ?? []
              if (file !== undefined) void importing.run(file)
              currentTarget.value = ''
            }}
          />
        </label>
        {progress !== null && <progress aria-label="Progress" max={1} value={Math.min(1, progress)} />}
        <Failure error={importing.error ?? exporting.error} />
        {result !== null && <Result result={result} />}
      </div>
    </Dialog>
  )
}

/** A button that opens import and export. */
export const TransferMenu = (props: Props) => {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button icon="download" onClick={() => setOpen(true)}>
        Import / export
      </Button>
      {isOpen && <TransferDialog {...props} onClose={() => setOpen(false)} />}
    </>
  )
}
