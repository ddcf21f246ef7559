import { expect, test } from 'bun:test'
import { resolve } from 'node:path'

const program = resolve(import.meta.dir, '../../support/log-threads.ts')

test('lines that several threads write to a pipe at the same time stay whole', async () => {
  // The reader is slower than the threads, so that the pipe is full most of the time.
  await using reader = Bun.spawn(['sh', '-c', '"$0" "$1" | dd bs=512 2>/dev/null', process.execPath, program])
  const lines = (await reader.stdout.text()).split('\n')
  expect(lines.pop()).toBe('')
  expect(lines.length).toBe(2 * 100 * 128)
  expect(lines.filter((line) => !/^\{"batch":\d+,"at":\d+,"text":"x*"\}$/.test(line))).toEqual([])
})

test('a line that is longer than what a pipe takes at once is written completely', async () => {
  const script = `import { writeLines } from ${JSON.stringify(resolve(import.meta.dir, '../../../src/adapters/console/streams.ts'))}
    writeLines('a\\n' + 'b'.repeat(100_000) + '\\n' + 'ü'.repeat(3_000) + '\\nc')`
  await using child = Bun.spawn([process.execPath, '-e', script])
  expect(await child.stdout.text()).toBe(`a\n${'b'.repeat(100_000)}\n${'ü'.repeat(3_000)}\nc`)
})
