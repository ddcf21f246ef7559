import { expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import type { Answer } from '../../support/call.ts'
import { createMailbox } from '../../support/mail.ts'
import { callsOf, type ProblemBody } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d', MAX_BODY_SIZE: '16kb' }, { mailer: createMailbox() })
const admin = callsOf(skep, await createFirstAdmin(skep))

const NOTES = {
  schema: { type: 'object', required: ['text'], properties: { text: { type: 'string' }, size: { type: 'number' } } },
  indexes: [],
}

let count = 0
const fresh = async () => {
  const name = `imports_${++count}s`
  await admin.define(name, NOTES)
  return name
}

type ImportBody = Partial<ProblemBody> & { readonly created?: number; readonly refused?: number }

const importing = (
  name: string,
  body: string | ReadableStream,
  query = '',
  key = 'once',
): Promise<Answer<ImportBody>> =>
  admin.call<ImportBody>('POST', `/collections/${name}/records/import${query}`, {
    body,
    headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': key },
  })

const totalOf = async (name: string) => (await admin.list(name)).body.total
const isReplayed = ({ headers }: Answer<unknown>) => headers.get('idempotency-replayed') === 'true'

/** So many lines; more than fifty are stored in several parts. */
const lines = (length: number, from = 0) =>
  Array.from({ length }, (_, n) => `{"text":"${from + n}","size":${n}}\n`).join('')

/** A body whose beginning is sent, and that then waits to be ended. */
const unfinished = (beginning: string) => {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode(beginning))
      try {
        controller.enqueue(new TextEncoder().encode(await promise))
        controller.close()
      } catch (error) {
        controller.error(error)
      }
    },
  })
  return { body, end: resolve, breakOff: () => reject(new Error('broken off')) }
}

/** Interrupts an import when so many records of its first part have been stored. */
const interrupted = async (name: string, sent: string, stored: number) => {
  const { body, breakOff } = unfinished(sent)
  const answer = importing(name, body).catch(() => null)
  await until(async () => (await totalOf(name)) === stored)
  breakOff()
  await answer
}

/** The answer once the server has noticed that the former request is over. */
const afterwards = async (name: string, body: string): Promise<Answer<ImportBody>> => {
  let answer = await importing(name, body)
  await until(async () => {
    if (answer.body.code !== 'idempotency_in_progress') return true
    answer = await importing(name, body)
    return false
  })
  return answer
}

test('the same import gets the same response, and creates nothing again', async () => {
  const name = await fresh()
  const first = await importing(name, `${lines(120)}{"text":7}\nnonsense\n`)
  expect([first.status, isReplayed(first)]).toEqual([200, false])
  expect(first.body).toMatchObject({ created: 120, refused: 2 })
  const again = await importing(name, `${lines(120)}{"text":7}\nnonsense\n`)
  expect([again.status, isReplayed(again), again.body]).toEqual([200, true, first.body])
  expect(await totalOf(name)).toBe(120)
})

test('the order of members and the end of the last line do not make it another import', async () => {
  const name = await fresh()
  await importing(name, '{"text":"a","size":1}\n')
  expect(isReplayed(await importing(name, '{ "size": 1.0, "text": "a" }'))).toBe(true)
})

test.each([
  ['a line more', `${lines(60)}{"text":"more"}`],
  ['a line less', lines(59)],
  ['another line', `{"text":"other"}\n${lines(59, 1)}`],
  ['no line', ''],
])('%s is another import, which is refused and creates nothing', async (_, other) => {
  const name = await fresh()
  await importing(name, lines(60))
  const refused = await importing(name, other)
  expect([refused.status, refused.body.code]).toEqual([422, 'idempotency_mismatch'])
  expect(await totalOf(name)).toBe(60)
})

test.each([
  ['too long', (letter: string) => `{"text":"${letter.repeat(20_000)}"}`],
  ['not exact', (letter: string) => `{"text":"${letter}","size":1e400}`],
])('a different line that is refused as %s makes it another import', async (_, line) => {
  const name = await fresh()
  await importing(name, line('a'))
  expect(isReplayed(await importing(name, line('a')))).toBe(true)
  expect((await importing(name, line('b'))).body.code).toBe('idempotency_mismatch')
})

test('a key belongs to one collection', async () => {
  const [one, other] = [await fresh(), await fresh()]
  await importing(one, lines(2))
  expect((await importing(other, lines(3))).body).toMatchObject({ created: 3 })
})

test('a second request is refused while the first is running', async () => {
  const name = await fresh()
  const { body, end } = unfinished(lines(60))
  const first = importing(name, body)
  await until(async () => (await totalOf(name)) === 50)
  const second = await importing(name, lines(61))
  expect([second.status, second.body.code, second.headers.get('retry-after')]).toEqual([
    409,
    'idempotency_in_progress',
    '1',
  ])
  end(lines(1, 60))
  expect((await first).body).toMatchObject({ created: 61, refused: 0 })
  expect(await totalOf(name)).toBe(61)
})

test('after an interruption it continues where it ended, and its response has the refused lines of both', async () => {
  const name = await fresh()
  const sent = `${lines(10)}nonsense\n${lines(60, 10)}`
  await interrupted(name, sent, 49)
  const { status, body } = await afterwards(name, `${sent}{"text":7}\n`)
  expect([status, body]).toMatchObject([200, { created: 70, refused: 2, lines: [{ line: 11 }, { line: 72 }] }])
  expect(await totalOf(name)).toBe(70)
})

test.each([
  ['with another beginning', lines(70, 1)],
  ['that ends before', lines(20)],
])('after an interruption, an import %s is refused', async (_, other) => {
  const name = await fresh()
  await interrupted(name, lines(60), 50)
  expect((await afterwards(name, other)).body.code).toBe('idempotency_mismatch')
  expect(await totalOf(name)).toBe(50)
})

test('a dry run leaves the key unused', async () => {
  const name = await fresh()
  expect((await importing(name, lines(3), '?dry_run=true')).body).toMatchObject({ created: 3 })
  const imported = await importing(name, lines(2))
  expect([isReplayed(imported), imported.body.created]).toEqual([false, 2])
  const checked = await importing(name, lines(3), '?dry_run=true')
  expect([checked.status, isReplayed(checked)]).toEqual([200, false])
  expect(isReplayed(await importing(name, lines(2)))).toBe(true)
  expect(await totalOf(name)).toBe(2)
})

test('a malformed key is refused before anything is created', async () => {
  const name = await fresh()
  expect((await importing(name, lines(2), '', 'x'.repeat(256))).status).toBe(422)
  expect(await totalOf(name)).toBe(0)
})
