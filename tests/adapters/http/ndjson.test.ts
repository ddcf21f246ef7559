import { describe, expect, test } from 'bun:test'
import { createEventLoopSlices } from '../../../src/adapters/bun/event-loop-slices.ts'
import { linesOf } from '../../../src/adapters/http/lines.ts'
import { ndjsonResponse } from '../../../src/adapters/http/ndjson.ts'
import { until } from '../../support/until.ts'

const noListeners = { ended: () => {}, failed: () => {} }

describe('a response of lines', () => {
  test('is read from its source only as fast as the client reads', async () => {
    let made = 0
    const chunks = async function* () {
      for (let n = 0; n < 1_000; n++) {
        made++
        yield [{ n }]
      }
    }
    const reader = ndjsonResponse(chunks(), (value) => value, noListeners).body?.getReader()
    const first = await reader?.read()
    expect(new TextDecoder().decode(first?.value)).toBe('{"n":0}\n')
    expect(made).toBeLessThanOrEqual(2)
    await reader?.read()
    expect(made).toBeLessThanOrEqual(3)
  })

  test('reports its end once: when it is complete, or when the client disconnects', async () => {
    for (const leaves of [false, true]) {
      let ended = 0
      const chunks = async function* () {
        yield [{ a: 1 }]
        yield [{ a: 2 }]
      }
      const listeners = { ...noListeners, ended: () => ended++ }
      const response = ndjsonResponse(chunks(), (value) => value, listeners)
      if (leaves) {
        const reader = response.body?.getReader()
        await reader?.read()
        await reader?.cancel()
      } else {
        expect(await response.text()).toBe('{"a":1}\n{"a":2}\n')
      }
      expect(ended).toBe(1)
    }
  })

  test('is cut off if its source fails, so that it does not look complete', async () => {
    const failures: unknown[] = []
    const chunks = async function* (): AsyncGenerator<readonly object[]> {
      yield [{ a: 1 }]
      throw new Error('no more')
    }
    const response = ndjsonResponse(chunks(), (value) => value, {
      ended: () => {},
      failed: (error) => failures.push(error),
    })
    const outcome = await response.text().then(
      () => 'complete',
      () => 'cut off',
    )
    expect(outcome).toBe('cut off')
    await until(() => failures.length === 1)
  })
})

describe('lines of a body', () => {
  const read = (text: string | Uint8Array<ArrayBuffer>, maxBytes = 10) =>
    Array.fromAsync(
      linesOf(new Request('http://localhost/', { method: 'POST', body: text }), maxBytes, createEventLoopSlices()),
    )

  test('end with a line feed, except the last', async () => {
    expect(await read('a\n\nb\r\nc')).toEqual([
      { number: 1, text: 'a' },
      { number: 2, text: '' },
      { number: 3, text: 'b\r' },
      { number: 4, text: 'c' },
    ])
    expect(await read('')).toEqual([])
  })

  test('may have as many bytes as the limit, and no more', async () => {
    const [exact, long, next] = await read(`${'x'.repeat(10)}\n${'x'.repeat(11)}\nb`)
    expect([exact?.text?.length, long?.text, next?.text]).toEqual([10, null, 'b'])
  })
  test('begin after a byte order mark, which is a character in any other place', async () => {
    expect(await read('\ufeffa\n\ufeffb')).toEqual([
      { number: 1, text: 'a' },
      { number: 2, text: '\ufeffb' },
    ])
    expect(await read('\ufeff')).toEqual([{ number: 1, text: '' }])
  })

  test('leave time for other work, however many arrive at once', async () => {
    const chunks = async function* () {
      yield new Uint8Array(200_000).fill(0x0a)
    }
    let hasWorked = false
    setImmediate(() => {
      hasWorked = true
    })
    let count = 0
    let countBefore = 0
    const request = new Request('http://localhost/', { method: 'POST', headers: { 'content-length': '200000' } })
    for await (const _ of linesOf(request, 10, createEventLoopSlices(), chunks())) {
      count++
      if (!hasWorked) countBefore = count
    }
    expect(count).toBe(200_000)
    expect(countBefore).toBeLessThan(count)
  })
})
