import { expect, test } from 'bun:test'
import { generateKey } from '../../../src/adapters/archive/encryption.ts'
import { parseBackupKey, parseSchedule } from '../../../src/adapters/env/backup-settings.ts'

const SUNDAY_NOON = Date.UTC(2030, 5, 2, 12)

test.each([
  ['0 3 * * *', Date.UTC(2030, 5, 3, 3)],
  ['*/15 * * * *', Date.UTC(2030, 5, 2, 12, 15)],
  ['@daily', Date.UTC(2030, 5, 3)],
])('BACKUP_SCHEDULE accepts %s, in UTC', (text, next) => {
  expect(parseSchedule(text)?.next(SUNDAY_NOON)).toBe(next)
})

test.each(['', 'daily', '0 3 * *', '* * * * * *', '60 3 * * *', '0 0 30 2 *'])(
  'BACKUP_SCHEDULE refuses "%s"',
  (text) => {
    expect(parseSchedule(text)).toBeNull()
  },
)

test('BACKUP_KEY accepts what `skep backup key` prints, and nothing that is cut short', async () => {
  const { identity, recipient } = await generateKey()
  for (const key of [identity, recipient]) {
    expect(parseBackupKey(key)).toBe(key)
    expect(parseBackupKey(key.slice(0, 40))).toBeNull()
  }
  expect(parseBackupKey('a passphrase')).toBeNull()
})
