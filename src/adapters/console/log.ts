import type { Log, LogFields, LogLevel } from '../../application/ports/system.ts'

const LEVELS: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 }
const COLOURS: Readonly<Record<LogLevel, string>> = {
  debug: '\x1b[90m',
  info: '\x1b[32m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
}
const MAX_BATCH_COUNT = 128
const FLUSH_AFTER_MS = 20

interface Options {
  readonly level: LogLevel
  readonly format: 'pretty' | 'json'
  /** Takes whole lines, each ended by a newline. */
  readonly write: (lines: string) => void
}

interface Entry {
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
  readonly time: string
}

export interface ConsoleLog extends Log {
  /** Writes what is still buffered. */
  flush(): void
}

const describeError = (error: Error): string => {
  const own = error.stack ?? String(error)
  return error.cause instanceof Error ? `${own}\ncaused by ${describeError(error.cause)}` : own
}

const plain = (value: unknown): unknown => (value instanceof Error ? describeError(value) : value)

/** Pino's name for it, so that its tools display it. */
const errorFields = (error: Error) => ({ type: error.name, message: error.message, stack: describeError(error) })

/** With pino's field names, so that its tools can read the log. */
const toJson = ({ level, message, fields, time }: Entry) => {
  const entry: Record<string, unknown> = { level, time, msg: message }
  for (const name in fields) {
    const value = fields[name]
    if (value === undefined) continue
    if (name === 'error' && value instanceof Error) entry.err = errorFields(value)
    else entry[name] = plain(value)
  }
  return JSON.stringify(entry)
}

const codePoint = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/**
 * Removes characters that control a terminal, end a line or change the text direction, some of which JSON does not
 * escape.
 */
const escapeControls = (text: string): string => text.replace(/[\p{Cc}\u2028-\u202E\u2066-\u2069]/gu, codePoint)

/** Text unchanged, unless it could be mistaken for more than one line or field. */
const readable = (value: unknown): string =>
  typeof value === 'string' && /^[^\s"\p{Cc}]+$/u.test(value)
    ? escapeControls(value)
    : escapeControls(JSON.stringify(value))

/** Lines that cannot be mistaken for entries. */
const indented = (text: string): string =>
  text
    .split('\n')
    .map((line) => `\n  ${escapeControls(line)}`)
    .join('')

const toPretty = ({ level, message, fields, time }: Entry) => {
  const parts = Object.entries(fields)
    .filter(([name, value]) => value !== undefined && name !== 'error')
    .map(([name, value]) => `\x1b[90m${name}=\x1b[0m${readable(plain(value))}`)
  const trace = fields.error === undefined ? '' : indented(String(plain(fields.error)))
  return `${time.slice(11, 23)} ${COLOURS[level]}${level.padEnd(5)}\x1b[0m ${message} ${parts.join(' ')}${trace}`
}

/** An entry that cannot be serialized must not affect others. */
const neverThrowing =
  (render: (entry: Entry) => string) =>
  (entry: Entry): string => {
    try {
      return render(entry)
    } catch (error) {
      return render({ ...entry, fields: { unwritable: String(error) } })
    }
  }

/** The time as text; many entries share a millisecond. */
const createTimestamps = () => {
  let instant = 0
  let text = ''
  return (): string => {
    const now = Date.now()
    if (now !== instant) text = new Date(now).toISOString()
    instant = now
    return text
  }
}

/**
 * Writes one line per entry. Lines are formatted and written in groups, which uses CPU caches better; an error flushes
 * all lines at once.
 */
export const createConsoleLog = ({ level, format, write }: Options): ConsoleLog => {
  const render = neverThrowing(format === 'json' ? toJson : toPretty)
  const timestamp = createTimestamps()
  let entries: Entry[] = []
  let timer: ReturnType<typeof setTimeout> | null = null

  const flush = () => {
    if (timer) clearTimeout(timer)
    timer = null
    const due = entries
    entries = []
    let lines = ''
    for (const entry of due) lines += `${render(entry)}\n`
    if (lines !== '') write(lines)
  }

  const at = (own: LogLevel) => {
    if (LEVELS[own] < LEVELS[level]) return () => {}
    return (message: string, fields: LogFields = {}) => {
      entries.push({ level: own, message, fields, time: timestamp() })
      if (entries.length >= MAX_BATCH_COUNT || own === 'error') flush()
      else timer ??= setTimeout(flush, FLUSH_AFTER_MS)
    }
  }

  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), flush }
}
