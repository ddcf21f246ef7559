import { describe, expect, test } from 'bun:test'
import { createConsoleLog } from '../../../src/adapters/console/log.ts'

const open = (format: 'json' | 'pretty', level: 'debug' | 'info' | 'error' = 'debug') => {
  const written: string[] = []
  const log = createConsoleLog({ level, format, write: (lines) => void written.push(lines) })
  return { log, written, lines: () => written.join('').split('\n').slice(0, -1) }
}

describe('as JSON', () => {
  test('each entry is one line with time, level, msg and its fields, as pino-pretty reads them', () => {
    const { log, lines } = open('json')
    log.info('request', { status: 200, user_id: undefined })
    log.flush()
    const [entry] = lines().map((line) => JSON.parse(line))
    expect(entry).toEqual({ time: expect.any(String), level: 'info', msg: 'request', status: 200 })
    expect(Math.abs(Date.parse(entry.time) - Date.now())).toBeLessThan(60_000)
  })

  test('an error is written with its stack and its causes, in one line', () => {
    const { log, lines } = open('json')
    log.error('failed', { error: new Error('outer', { cause: new Error('inner\nline') }) })
    expect(lines()).toHaveLength(1)
    const { err } = JSON.parse(lines()[0] ?? '')
    expect(err).toMatchObject({ type: 'Error', message: 'outer' })
    expect(err.stack).toMatch(/Error: outer[\s\S]*log\.test\.ts[\s\S]*caused by Error: inner/)
  })
})

describe('for people', () => {
  test('an entry is one line, whatever its fields contain', () => {
    const { log, lines } = open('pretty')
    log.info('mail written', { to: 'a@b.c\n12:00:00.000 error forged entry', subject: 'two words' })
    log.flush()
    expect(lines()).toHaveLength(1)
    expect(lines()[0]).toContain('"two words"')
  })

  test('nothing in an error or a field can be mistaken for an entry or control the terminal', () => {
    const { log, lines, written } = open('pretty')
    const hostile = 'refused\n12:00:00.000 info forged entry\x1b[2J\x9b2J\u202e'
    log.warn('mail failed', { reply: hostile, error: new Error(hostile) })
    log.flush()
    const [entry, ...trace] = lines()
    expect(entry).toContain('mail failed')
    for (const line of trace) expect(line).toStartWith('  ')
    const own = '\x1b['
    const text = written.join('').replaceAll(own, '')
    for (const character of ['\x1b', '\x9b', '\u202e', '[2J\x9b']) expect(text).not.toContain(character)
    expect(written.join('')).not.toContain(`${own}2J`)
  })
})

test('entries below the level are omitted', () => {
  const { log, lines } = open('json', 'error')
  log.debug('no')
  log.info('no')
  log.warn('no')
  log.error('yes')
  expect(lines()).toHaveLength(1)
})

test('entries are written in groups, and an error with all before it at once', () => {
  const { log, written } = open('json')
  log.info('one')
  log.info('two')
  expect(written).toEqual([])
  log.error('three')
  expect(written).toHaveLength(1)
  expect(written[0]?.split('\n')).toHaveLength(4)
})

test.each(['json', 'pretty'] as const)(
  'an entry that cannot be written as %s says so, and its neighbours stand',
  (format) => {
    const { log, lines } = open(format)
    const circle = new Error('round')
    circle.cause = circle
    const self: Record<string, unknown> = {}
    self.self = self
    log.info('one')
    log.info('two', { error: circle })
    log.info('three', { self })
    log.info('four')
    log.flush()
    const written = lines()
    expect(written).toHaveLength(4)
    expect(written[1]).toMatch(/two.+unwritable.+RangeError/)
    expect(written[2]).toMatch(/three.+unwritable.+TypeError/)
  },
)

test('what is buffered is written after a moment without a flush', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  createConsoleLog({ level: 'info', format: 'json', write: resolve }).info('later')
  expect(await promise).toContain('"later"')
})
