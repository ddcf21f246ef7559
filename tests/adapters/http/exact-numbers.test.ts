import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { startSkep } from '../../support/skep.ts'
import { openSocket } from '../../support/socket.ts'

const skep = await startSkep()
const ann = await skep.member()

interface Problem {
  readonly code?: string
  readonly errors?: readonly { readonly in: string; readonly pointer: string }[]
}

const sendText = (method: string, path: string, body: string, headers = {}) =>
  skep.call<Problem & { readonly id: number; readonly version: number }>(method, path, {
    token: ann.token,
    body,
    headers: { 'content-type': 'application/json', ...headers },
  })

/** What is kept, as it comes over the wire: parsing it would round what must be compared. */
const textOf = async (id: number): Promise<string> => {
  const response = await fetch(`${skep.url}/api/v1/items/${id}`, { headers: { authorization: `Bearer ${ann.token}` } })
  return response.text()
}

const NUMBER_OR_STRING = /"(?:\\.|[^"\\])*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const MAX_EXPONENT = 1_000

/** A number as exactly as it is written when it is whole, and as a double when it is not. */
const exactly = (number: string): string => {
  const [mantissa = '', exponent = '0'] = number.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const shift = BigInt(exponent) - BigInt(fraction.length)
  const units = BigInt(`${whole}${fraction}`.replace('-', ''))
  if (units === 0n) return '0'
  const sign = number.startsWith('-') ? '-' : ''
  if (shift > MAX_EXPONENT || shift < -MAX_EXPONENT) return `${sign}${units}e${shift}`
  if (shift >= 0n) return `${sign}${units * 10n ** shift}`
  const unit = 10n ** -shift
  if (units % unit === 0n) return `${sign}${units / unit}`
  if (Number(number) === 0) return `${sign}${units}e${shift}`
  const rounded = String(Number(number))
  return rounded === number ? number : exactly(rounded)
}

/** The value of a JSON text, with each number as text. */
const exactValueOf = (json: string): { readonly data: unknown } =>
  JSON.parse(json.replace(NUMBER_OR_STRING, (token) => (token.startsWith('"') ? token : `"number ${exactly(token)}"`)))

const CASES = [
  '0',
  '-0',
  '-0.0e-999999999999999999999',
  '1e2',
  '1E400',
  '-1e400',
  '0.1e-400',
  '4.9e-324',
  '1e22',
  '1e23',
  '6.02214076e23',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '9007199254740993.0',
  '900719925474099.3e1',
  '12345678901234567890',
  '12345678901234567890.5',
  '-98765432109876543210.123',
  '123456789012345678901e-1',
  '1234567890123456789000.5e0',
  '9007199254740991.5',
  '9007199254740992.5',
  '9007199254740993.5',
  '9007199254740994.000000000000000000000001',
  '10000000000000000000000.7',
  '10000000000000000000007e-1',
  '1152921504606846976',
  '0.1234567890123456789012345678901234567890',
  '1.0000000000000000000000001',
  '179769313486231570000000000e282',
  '179769313486231590000000000e283',
]

const number = fc.oneof(
  fc.constantFrom(...CASES),
  fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }).map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc
    .tuple(
      fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
      fc.stringMatching(/^[0-9]{1,25}$/),
      fc.integer({ min: -420, max: 420 }),
    )
    .map(([whole, fraction, exponent]) => `${whole}.${fraction}e${exponent}`),
)
const string = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => JSON.stringify(text)),
  fc.constantFrom('"\\ud800"', '"\\u0000"', '"\\udc00\\ud800"', '"1e400"', '"\\"12345678901234567890"', '"\u2028"'),
)
const name = fc.oneof(string, fc.constantFrom('"__proto__"', '"constructor"', '""', '"a/b~c"', '"7"', '"toJSON"'))

/** The text of any JSON value; members may come twice. */
const { json } = fc.letrec<{ json: string; array: string; object: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    number,
    string,
    fc.constantFrom('true', 'false', 'null'),
    tie('array'),
    tie('object'),
  ),
  array: fc.array(tie('json'), { maxLength: 5 }).map((values) => `[ ${values.join(' ,')}]`),
  object: fc
    .array(fc.tuple(name, tie('json')), { maxLength: 5 })
    .map((members) => `{${members.map(([key, value]) => `${key} : ${value}`).join(', ')}}`),
}))
const data = fc.array(fc.tuple(name, json), { maxLength: 5 }).map((members) => {
  return `{${members.map(([key, value]) => `${key}:${value}`).join(',')}}`
})

/** The integer part of a number beyond the largest safe integer, and the same once it is a double and written. */
const integerParts = (number: string): readonly [sent: bigint, kept: bigint] => {
  const [mantissa = '', exponent = '0'] = number.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const shift = BigInt(exponent) - BigInt(fraction.length)
  const units = BigInt(`${whole}${fraction}`)
  const sent = shift >= 0n ? units * 10n ** shift : units / 10n ** -shift
  return [sent, BigInt(exactly(String(Number(number))))]
}

const isKept = (number: string): boolean => {
  const value = Number(number)
  if (!Number.isFinite(value) || exactly(number) !== exactly(JSON.stringify(value))) return false
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return true
  const [sent, kept] = integerParts(number)
  return sent === kept
}

/** Whether nothing would change if every number became a double, except for the last digits of fractions. */
const survives = (source: string): boolean => {
  const numbers = source.match(NUMBER_OR_STRING)?.filter((token) => !token.startsWith('"')) ?? []
  return numbers.every(isKept)
}

describe('any JSON that a client stores', () => {
  test('is returned unchanged, or was refused because a double would change one of its numbers', async () => {
    await fc.assert(
      fc.asyncProperty(data, async (source) => {
        const { status, body } = await sendText('POST', '/items/', `{"title":"x","data":${source}}`)
        expect([status, body.code]).toEqual(survives(source) ? [201, undefined] : [422, 'number_not_exact'])
        if (status !== 201) return
        expect(exactValueOf(await textOf(body.id)).data).toEqual(exactValueOf(`{"data":${source}}`).data)
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 100), examples: CASES.map((text) => [`{"n":${text}}`]) },
    )
  })

  test('is as equal after a merge and in a batch', async () => {
    const { body: item } = await sendText('POST', '/items/', '{"title":"x"}')
    await fc.assert(
      fc.asyncProperty(json, async (value) => {
        const wrapped = `[${value}]`
        const sent = [
          await sendText('PATCH', `/items/${item.id}`, `{"data":{"value":${wrapped}}}`),
          await sendText(
            'POST',
            '/items/batch',
            `{"operations":[{"op":"update","id":${item.id},"data":{"value":${wrapped}}}]}`,
          ),
        ]
        for (const { status } of sent) expect(status).toBe(survives(wrapped) ? 200 : 422)
        if (!survives(wrapped)) return
        expect(exactValueOf(await textOf(item.id)).data).toEqual({ value: exactValueOf(`{"data":${wrapped}}`).data })
      }),
      { numRuns: 50 },
    )
  })
})

describe('a number that a double would change', () => {
  test('is refused with its pointer, and so are all others in the same answer', async () => {
    const source = '{"title":"x","data":{"n":1e400,"a/b~":[1,{"id":12345678901234567890}],"ok":1e2,"0.1e-400":"1e400"}}'
    const { status, body } = await sendText('POST', '/items/', source)
    expect([status, body.code]).toEqual([422, 'number_not_exact'])
    expect(body.errors?.map(({ pointer }) => pointer)).toEqual(['/data/n', '/data/a~1b~0/1/id'])
  })

  test.each([
    ['12345678901234567890.5', 422],
    ['98765432109876543210.123', 422],
    ['-123456789012345678901e-1', 422],
    ['9007199254740993.5', 422],
    ['9007199254740992.5', 201],
    ['10000000000000000000000.7', 201],
    ['0.99999999999999999999', 201],
  ])('is one whose integer part changes, with or without a fraction (%s)', async (number, expected) => {
    const { status, body } = await sendText('POST', '/items/', `{"title":"x","data":{"n":${number}}}`)
    expect([status, body.errors?.[0]?.pointer]).toEqual([expected, expected === 422 ? '/data/n' : undefined])
  })

  test('is reported after authorization, wherever JSON is read', async () => {
    const inexact = '{"n":1e400}'
    const headers = { 'content-type': 'application/json' }
    expect((await skep.call('POST', '/items/', { body: inexact, headers })).status).toBe(401)
    for (const [method, path] of [
      ['POST', '/users/'],
      ['PATCH', '/users/me'],
      ['POST', '/auth/password/forgot'],
      ['POST', '/items/batch'],
    ] as const) {
      expect((await sendText(method, path, inexact)).body.code).toBe('number_not_exact')
    }
  })

  test('leaves an Idempotency-Key unused', async () => {
    const headers = { 'idempotency-key': 'exact-1' }
    const inexact = '{"title":"x","data":{"id":12345678901234567890}}'
    expect((await sendText('POST', '/items/', inexact, headers)).status).toBe(422)
    expect((await sendText('POST', '/items/', '{"title":"x","data":{"id":1}}', headers)).status).toBe(201)
  })

  test.each(['9007199254740993', '1e400', '[1e400]', '12345678901234567890.5', '123456789012345678901e-1'])(
    'in a frame (%s) is an error of its own',
    async (after) => {
      await using socket = await openSocket(skep.url, { token: ann.token })
      socket.send(`{"type":"subscribe","topic":"items","after":${after},"ref":"r"}`)
      expect(await socket.sees({ type: 'error', ref: 'r' })).toMatchObject({ code: 'number_not_exact' })
    },
  )
})

test('no more than twenty faults are listed, and the answer says so', async () => {
  const many = Array.from({ length: 200 }, (_, n) => `"${n}":1`).join(',')
  const { body } = await sendText('POST', '/items/', `{"title":"x",${many}}`)
  expect(body.errors).toHaveLength(20)
  expect(body).toMatchObject({ code: 'validation_failed', detail: expect.stringContaining('first 20') })
  const numbers = await sendText('POST', '/items/', `{"title":"x","data":{"n":[${'1e400,'.repeat(200)}1]}}`)
  expect(numbers.body.errors).toHaveLength(20)
})

test('a long property name is truncated in the pointer', async () => {
  const name = 'n'.repeat(200_000)
  for (const source of [`{"title":"x","${name}":1}`, `{"title":"x","data":{"${name}":1e400}}`]) {
    const { status, body } = await sendText('POST', '/items/', source)
    expect(status).toBe(422)
    expect(JSON.stringify(body).length).toBeLessThan(1_000)
  }
  await using socket = await openSocket(skep.url, { token: ann.token })
  socket.send(`{"type":"ping","${'n'.repeat(20_000)}":1,"ref":"r"}`)
  expect((await socket.sees({ type: 'error', ref: 'r' })).detail?.length).toBeLessThan(300)
})
