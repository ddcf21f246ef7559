/** Imports tasks, as a stream, as fast as they are taken. */
import type { Patient } from '../lib/beside.ts'
import { type TasksOptions, taskLines } from '../lib/tasks.ts'

export interface ImportInput {
  readonly url: string
  /** Of an admin. */
  readonly token: string
  readonly tasks: TasksOptions
}

export interface ImportReport {
  /** Why there was no answer as expected; null if there was. */
  readonly failure: string | null
}

const PIECE_LINES_COUNT = 100

const { url, token, tasks } = (await Bun.stdin.json()) as ImportInput

const pieces = async function* () {
  const encoder = new TextEncoder()
  let lines: string[] = []
  for (const line of taskLines(tasks)) {
    if (lines.push(line) < PIECE_LINES_COUNT) continue
    yield encoder.encode(lines.join(''))
    lines = []
  }
  yield encoder.encode(lines.join(''))
}

const request: Patient = {
  method: 'POST',
  headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
  body: pieces(),
  timeout: false,
}

const send = async (): Promise<string | null> => {
  const response = await fetch(`${url}/api/v1/collections/tasks/records/import`, request)
  const text = await response.text()
  const isWhole = response.status === 200 && JSON.parse(text).created === tasks.count
  return isWhole ? null : `the import was answered ${response.status}: ${text}`
}

const report: ImportReport = { failure: await send().catch(String) }
console.log(JSON.stringify(report))
