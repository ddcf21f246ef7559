import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { FormatRegistry } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import { SERVER_FRAMES } from '../../../src/adapters/ws/frames.ts'
import type { Fields } from '../../support/call.ts'
import { startSkep } from '../../support/skep.ts'
import { openSocket } from '../../support/socket.ts'
import { encodeFrame, OPCODE, openWire, type WireFrame } from '../../support/wire.ts'

const RUNS = Number(process.env.FUZZ_RUNS ?? 100)

const skep = await startSkep()
const [ann, bob] = [await skep.member(), await skep.member()]
const item = await skep.call<{ id: number }>('POST', '/items/', { token: ann.token, json: { title: 'a title' } })
const neighbour = await openSocket(skep.url, { token: ann.token, clientId: 'neighbour' })
await neighbour.subscribe('items')

beforeAll(() => {
  FormatRegistry.Set('date-time', (text) => new Date(text).toJSON() === text)
})
afterAll(() => void FormatRegistry.Delete('date-time'))

/** What must hold whatever anyone has sent. */
const expectNothingBroken = async () => {
  const { body } = await skep.call<{ id: number }>('POST', '/items/', { token: ann.token, json: { title: 'news' } })
  await neighbour.until(() => neighbour.events().some(({ data }) => data?.id === body.id))
  expect(skep.log.entries.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([])
}

interface Message {
  readonly binary: boolean
  readonly bytes: Uint8Array
}

const ref = fc.option(fc.string({ maxLength: 64 }), { nil: undefined })
const topic = fc.constantFrom('items', `items/${item.body.id}`, 'items/999999999', 'items/all', 'jobs')
const token = fc.constantFrom(ann.token, bob.token, 'no token', `${ann.token}x`)
const frame: fc.Arbitrary<Fields> = fc.oneof(
  fc.record({ type: fc.constant('ping'), ref }),
  fc.record({ type: fc.constant('auth'), token, ref }),
  fc.record({ type: fc.constant('unsubscribe'), topic, ref }),
  fc.record({ type: fc.constant('subscribe'), topic, after: fc.option(fc.nat(5), { nil: undefined }), ref }),
)
/** A frame with one member more, or of another kind. */
const nearlyFrame = fc
  .tuple(frame, fc.oneof(fc.string(), fc.constantFrom('type', 'topic', 'after', 'token', 'ref')), fc.jsonValue())
  .map(([fields, name, value]): Fields => ({ ...fields, [name]: value }))

const text = fc.oneof(
  frame.map((fields) => JSON.stringify(fields)),
  nearlyFrame.map((fields) => JSON.stringify(fields)),
  fc.dictionary(fc.string(), fc.jsonValue()).map((fields) => JSON.stringify(fields)),
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'binary', minLength: 100, maxLength: 200 }).map((some) => some.repeat(80)),
)
const message: fc.Arbitrary<Message> = fc.oneof(
  { weight: 8, arbitrary: text.map((some) => ({ binary: false, bytes: new TextEncoder().encode(some) })) },
  { weight: 1, arbitrary: fc.uint8Array().map((bytes) => ({ binary: true, bytes })) },
)

const mask = fc.uint8Array({ minLength: 4, maxLength: 4 })
const control = fc.record({
  opcode: fc.constantFrom(OPCODE.ping, OPCODE.pong),
  payload: fc.uint8Array({ maxLength: 125 }),
  mask,
})

/** Every way in which a message may be cut into frames, with control frames between them. */
const framesOf = ({ binary, bytes }: Message): fc.Arbitrary<WireFrame[]> =>
  fc
    .tuple(fc.array(fc.nat(bytes.length), { maxLength: 4 }), fc.array(control, { maxLength: 2 }), mask)
    .map(([cuts, controls, theirs]) => {
      const ends = [...cuts.sort((a, b) => a - b), bytes.length]
      const opcode = binary ? OPCODE.binary : OPCODE.text
      return ends.flatMap((end, index): WireFrame[] => [
        {
          opcode: index === 0 ? opcode : OPCODE.continuation,
          payload: bytes.subarray(ends[index - 1] ?? 0, end),
          fin: index === ends.length - 1,
          mask: theirs,
        },
        ...controls.slice(index, index + 1),
      ])
    })

const conversation = fc.array(
  message.chain((said) => framesOf(said).map((frames) => ({ said, frames }))),
  { maxLength: 30 },
)

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const parsed = (some: string): Fields | null => {
  try {
    const value: unknown = JSON.parse(some)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

const isServerFrame = (fields: Fields): boolean => {
  const schema = Object.entries(SERVER_FRAMES).find(([type]) => type === fields.type)?.[1]
  return schema !== undefined && Value.Check(schema, fields)
}

/** What comes without being a direct answer. */
const isNews = (answer: string) => parsed(answer)?.type === 'event'

const expectAnswer = ({ binary, bytes }: Message, answer: string) => {
  const sent = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  const asked = binary ? null : parsed(sent)
  if (!binary && asked === null) return expect(answer).toBe(`Message received: ${sent}`)
  const fields = parsed(answer) ?? {}
  expect(isServerFrame(fields)).toBe(true)
  if (binary) return expect(fields).toMatchObject({ type: 'error', code: 'binary_frame' })
  const echoed = typeof asked?.ref === 'string' && asked.ref.length <= 64 ? asked.ref : undefined
  return expect(fields.ref).toBe(echoed)
}

test('every message that the protocol of WebSocket allows gets its one answer, as the protocol here has it', async () => {
  await fc.assert(
    fc.asyncProperty(conversation, async (turns) => {
      {
        await using wire = await openWire(skep.url, { token: ann.token })
        const answers = () => wire.texts.slice(1).filter((answer) => !isNews(answer))
        for (const { frames } of turns) for (const each of frames) wire.send(encodeFrame(each))
        for (let count = 1; answers().length < turns.length; count = wire.texts.length + 1) await wire.received(count)
        for (const news of wire.texts.filter(isNews)) expect(isServerFrame(parsed(news) ?? {})).toBe(true)
        expect(answers()).toHaveLength(turns.length)
        for (const [index, { said }] of turns.entries()) expectAnswer(said, answers()[index] ?? '')
      }
      await expectNothingBroken()
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: 8_000, timeout: 5_000 },
  )
})

const anyFrame: fc.Arbitrary<WireFrame> = fc.record({
  opcode: fc.nat(15),
  payload: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(70_000))),
  fin: fc.boolean(),
  reserved: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(7) }),
  mask: fc.option(mask, { nil: null, freq: 8 }),
})
const lyingFrame = fc
  .tuple(anyFrame, fc.oneof(fc.bigInt(0n, 70_000n), fc.bigInt(0n, 2n ** 64n - 1n)))
  .map(([honest, length]): WireFrame => ({ ...honest, length }))
const anyBytes = fc.oneof(
  { weight: 6, arbitrary: anyFrame.map(encodeFrame) },
  { weight: 1, arbitrary: lyingFrame.map(encodeFrame) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
)

test('bytes that are not WebSocket frames affect only their sender', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyBytes, { maxLength: 20 }), async (pieces) => {
      {
        await using wire = await openWire(skep.url, { token: ann.token })
        for (const piece of pieces) wire.send(piece)
        wire.end()
        expect(await wire.ended).not.toBe(1011)
        for (const answer of wire.texts.filter((some) => parsed(some) !== null)) {
          expect(isServerFrame(parsed(answer) ?? {})).toBe(true)
        }
      }
      await expectNothingBroken()
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: 8_000, timeout: 5_000 },
  )
})

describe('a connection is ended by', () => {
  const hello = new TextEncoder().encode('hello')
  const whole = { opcode: OPCODE.text, payload: hello }
  test.each<[string, readonly WireFrame[]]>([
    ['a frame without a mask', [{ ...whole, mask: null }]],
    ['a reserved bit', [{ ...whole, reserved: 4 }]],
    ['a reserved kind of frame', [{ ...whole, opcode: 3 }]],
    ['a ping in pieces', [{ ...whole, opcode: OPCODE.ping, fin: false }]],
    ['a ping that is too long', [{ opcode: OPCODE.ping, payload: new Uint8Array(126) }]],
    ['a piece of nothing', [{ ...whole, opcode: OPCODE.continuation }]],
    ['a message inside another', [{ ...whole, fin: false }, whole]],
    ['text that is not UTF-8', [{ opcode: OPCODE.text, payload: new Uint8Array([0xc3, 0x28]) }]],
    ['half of a surrogate pair', [{ opcode: OPCODE.text, payload: new Uint8Array([0xed, 0xa0, 0x80]) }]],
    ['the announcement of a frame that is too long', [{ ...whole, length: 65_537n }]],
    ['the announcement of a frame of any length', [{ ...whole, length: 2n ** 63n }]],
    [
      'pieces that are too long together',
      [
        { opcode: OPCODE.text, payload: new Uint8Array(40_000), fin: false },
        { opcode: OPCODE.continuation, payload: new Uint8Array(40_000) },
      ],
    ],
  ])('%s', async (_, frames) => {
    await using wire = await openWire(skep.url, { token: ann.token })
    for (const each of frames) wire.send(encodeFrame(each))
    // 1006 is what a client makes of an end without a code.
    expect([null, 1002, 1006, 1007, 1009]).toContain(await wire.ended)
    expect(wire.texts).toHaveLength(wire.texts.filter((some) => parsed(some)?.type === 'ready').length)
    await expectNothingBroken()
  })
})
