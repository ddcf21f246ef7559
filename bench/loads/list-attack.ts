/** Clients that each ask for the most expensive lists of tasks, one after the other and without end. */
import { createStopCheck } from './stopping.ts'

export interface ListAttackInput {
  readonly url: string
  /** One for each client. */
  readonly tokens: readonly string[]
  /** At most. */
  readonly seconds: number
}

export interface ListAttackReport {
  readonly answered: number
  /** For a reason that an expensive request may have. */
  readonly refused: number
}

/** How far apart clients begin. */
const STEP_COUNT = 211
/** Of a page that is too far in a list, and of too much at once. */
const REFUSALS = ['page_too_deep', 'too_many_requests', 'overloaded'] as const

/** Filters have at most 500 parts, which these numbers of terms come close to. */
const joined = (count: number, operator: string, part: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => part(n)).join(` ${operator} `)

/** Conditions that no index answers, that leave nothing, that leave everything, and that follow references. */
const FILTERS = [
  '',
  'title.contains("qqq")',
  'notes.endsWith("qqq") && !done',
  'size(notes) > 9000 && size(title) > 1',
  'size(title) > 199',
  '!(title.startsWith("ba") || done)',
  'list.title == "none"',
  'list.owner_id == 999999999',
  'list.members.exists(m, m == 999999999)',
  'list.title.contains("9") && title.contains("qqq")',
  'due_at > timestamp("1970-01-01T00:00:00Z") && title.contains("qqq")',
  'due_at < now - duration("1h") || due_at == null || title == "none"',
  'done ? title.contains("qqq") : notes.contains("qqq")',
  joined(120, '||', (n) => `list == ${n * 7}`),
  joined(120, '||', (n) => `title.contains("q${n}q")`),
  joined(120, '&&', (n) => `title != "${n}"`),
  joined(10, '||', (n) => `list.title == "${n}"`),
  joined(60, '||', (n) => `due_at == timestamp("2026-05-01T00:00:00Z") + duration("${n}m")`),
] as const

const SORTS = ['-created_at', 'created_at', 'list', '-list', 'due_at', '-due_at', '-updated_at', 'id'] as const
const SEARCHES = ['', '', 'ba', 'ba de', 'bababa dedede fififi gogogo', 'ba de fi go hu ka le mi', 'qqqqqq ba'] as const
const EXPANDS = ['', 'list,owner,list.owner,list.members'] as const
const ENDS = [
  '&size=100',
  '&size=100&page=9000',
  '&size=100&total=false',
  '&created_before=2000-01-01T00:00:00Z',
] as const

/** The parts change at different steps, so that in time each meets each of the others. */
const queryOf = (n: number): string => {
  const of = <T>(values: readonly T[], step: number): T | undefined => values[Math.floor(n / step) % values.length]
  const query = new URLSearchParams({ sort: of(SORTS, FILTERS.length) ?? 'id' })
  const [filter, text, expand] = [of(FILTERS, 1), of(SEARCHES, 5), of(EXPANDS, 3)]
  if (filter) query.set('filter', filter)
  if (text) query.set('q', text)
  if (expand) query.set('expand', expand)
  return `${query}${of(ENDS, 7)}`
}

const { url, tokens, seconds } = (await Bun.stdin.json()) as ListAttackInput
const isRunning = createStopCheck(seconds)
const stopping = new AbortController()
let answered = 0
let refused = 0

const client = async (token: string, index: number): Promise<void> => {
  const init = { headers: { authorization: `Bearer ${token}` }, signal: stopping.signal }
  for (let n = index * STEP_COUNT; isRunning(); n++) {
    const query = queryOf(n)
    const response = await fetch(`${url}?${query}`, init)
    const text = await response.text()
    if (response.status === 200) answered++
    else if (REFUSALS.some((code) => text.includes(code))) refused++
    else throw new Error(`${query.slice(0, 500)} was answered ${response.status}: ${text}`)
  }
}

const clients = Promise.all(tokens.map(client)).catch((error: unknown) => {
  if (stopping.signal.aborted) return
  console.error(error)
  process.exit(1)
})
while (isRunning()) await Bun.sleep(10)
stopping.abort()
await clients
const report: ListAttackReport = { answered, refused }
console.log(JSON.stringify(report))
process.exit(0)
