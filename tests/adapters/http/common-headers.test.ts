import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createCommonHeaders } from '../../../src/adapters/http/common-headers.ts'

const JSON_TYPE = 'application/json;charset=utf-8'

const headersOf = fc.dictionary(
  fc.constantFrom('x-request-id', 'ratelimit-remaining', 'etag', 'location', 'content-type', 'x-frame-options'),
  fc.oneof(fc.nat(), fc.constantFrom('text/plain', 'DENY', 'a'), fc.constant(undefined)),
)

test('each response has the common headers and its own, whatever others had', () => {
  fc.assert(
    fc.property(fc.array(headersOf, { minLength: 1, maxLength: 10 }), (all) => {
      const common = createCommonHeaders(false)
      const expected = { ...common.policy, 'content-type': JSON_TYPE }
      const responses = all.map((headers) => common.respond('{}', 200, headers))
      for (const [index, response] of responses.entries()) {
        const own = Object.entries(all[index] ?? {}).filter(([, value]) => value !== undefined)
        const texts = Object.fromEntries(own.map(([name, value]) => [name, String(value)]))
        expect(Object.fromEntries(response.headers)).toEqual({ ...expected, ...texts })
      }
    }),
  )
})

test('a header that a response cannot have does not reach the next one', () => {
  const common = createCommonHeaders(false)
  expect(() => common.respond('{}', 200, { etag: '"1"', location: 'a\nb' })).toThrow()
  const { headers } = common.respond('{}', 200, { 'x-request-id': '1' })
  expect([headers.get('etag'), headers.get('location'), headers.get('x-request-id')]).toEqual([null, null, '1'])
})
