import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseDuration, parseTimestamp } from '../../src/domain/expression-time.ts'

test.each([
  ['2026-01-31T12:00:00Z', Date.UTC(2026, 0, 31, 12)],
  ['2026-01-31t12:00:00z', Date.UTC(2026, 0, 31, 12)],
  ['2026-01-31T12:00:00+02:30', Date.UTC(2026, 0, 31, 9, 30)],
  ['2026-01-31T12:00:00-00:30', Date.UTC(2026, 0, 31, 12, 30)],
  ['2026-01-31T12:00:00.5Z', Date.UTC(2026, 0, 31, 12, 0, 0, 500)],
  ['2026-01-31T12:00:00.123999999999Z', Date.UTC(2026, 0, 31, 12, 0, 0, 123)],
  ['1969-12-31T23:59:59.999Z', -1],
  ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
  ['2016-12-31T23:59:60Z', Date.UTC(2017, 0, 1)],
  ['0001-01-01T00:00:00Z', -62_135_596_800_000],
])('%s is a timestamp', (text, ms) => {
  expect(parseTimestamp(text)).toBe(ms)
})

test.each([
  '2023-02-29T00:00:00Z',
  '1900-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-00-01T00:00:00Z',
  '2026-01-00T00:00:00Z',
  '2026-01-32T00:00:00Z',
  '2026-01-31T24:00:00Z',
  '2026-01-31T12:60:00Z',
  '2026-01-31T12:00:61Z',
  '2026-01-31T12:00:00',
  '2026-01-31T12:00:00+24:00',
  '2026-01-31 12:00:00Z',
  '2026-01-31T12:00:00.Z',
  '2026-01-31T12:00:00Z ',
  '2026-01-31T12:00:00+01:00Z',
  '2026-01-31T12:00:00+0100',
  '2026-01-31T12-00-00Z',
  '2026-01-31T1２:00:00Z',
  '+026-01-31T12:00:00Z',
  '2026-1-31T012:00:00Z',
  '2026-01-31',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59-01:00',
  '',
  ` 2026-01-31T12:00:00Z`,
  `2026-01-31T12:00:00.${'0'.repeat(100)}Z`,
])('%p is no timestamp', (text) => {
  expect(parseTimestamp(text)).toBeNull()
})

test('every date that JavaScript writes is read as the same point in time', () => {
  const dates = fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  })
  fc.assert(fc.property(dates, (date) => expect(parseTimestamp(date.toISOString())).toBe(date.getTime())))
})

test.each([
  ['24h', 86_400_000],
  ['1h30m', 5_400_000],
  ['-1.5s', -1_500],
  ['+90s', 90_000],
  ['0.1h', 360_000],
  ['500ms', 500],
  ['0s', 0],
])('%s is a duration', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', '1', '1d', 'h', '1h 30m', '--1h', '1h-30m', '0.1ms', '1us', '999999999h', `${'1h'.repeat(40)}`])(
  '%p is no duration',
  (text) => {
    expect(parseDuration(text)).toBeNull()
  },
)
