import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import type { Cursor } from '../../domain/epoch.ts'
import { inexactNumbers, outlineJson } from '../../domain/json-text.ts'
import { EVENT_PATTERN, EVENTS_TEXT, SUBJECTS, TOPIC_PATTERN, TOPICS_TEXT } from './subjects.ts'

/** Bytes of one frame from a client; a larger one closes the connection with 1009. */
export const MAX_FRAME_BYTES = 64 * 1024

/** The same as for lists. */
const MAX_FILTER_LENGTH = 2_000

/** Close codes; those below 4000 are registered with IANA (RFC 6455 section 7.4). */
export const CLOSE = {
  /** The server is shutting down. */
  goingAway: 1001,
  /** A frame larger than {@link MAX_FRAME_BYTES}. */
  tooBig: 1009,
  /** Internal error. */
  internal: 1011,
  /** The database is unavailable. Reconnect and resume by cursor. */
  tryAgain: 1013,
  /** Not signed in in time, or the token, session or account has ended. */
  signedOut: 4401,
  /** More than 1 MiB is unread. Reconnect and resume by cursor. */
  tooSlow: 4408,
  /** Too many frames, or too many connections of one user. */
  tooMany: 4429,
} as const

/** The epoch, and the number of the last event. */
const CURSOR = /^([0-9a-z]{1,16})\.(0|[1-9][0-9]{0,14})$/

const Ref = Type.Optional(Type.String({ maxLength: 64, description: 'Echoed in the direct reply to this frame' }))
const TopicName = Type.String({
  pattern: TOPIC_PATTERN,
  description: TOPICS_TEXT,
})
const Filter = Type.String({
  maxLength: MAX_FILTER_LENGTH,
  description:
    'A CEL expression over the fields of a record, as for lists, but without now. Only matching records are sent; all of them if it is empty',
})
const CursorText = Type.String({
  pattern: CURSOR.source,
  description: 'A position in the log; opaque: send it back unchanged',
})
const After = Type.Union(
  [
    CursorText,
    Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'As sent by older versions' }),
  ],
  { description: 'The last cursor received; only later events are sent' },
)
const Timestamp = Type.String({ format: 'date-time', description: 'RFC 3339, UTC, with milliseconds' })

const frame = <Name extends string, T extends Record<string, TSchema>>(
  type: Name,
  title: string,
  properties: T,
  description: string,
) => Type.Object({ type: Type.Literal(type), ...properties }, { title, description, additionalProperties: false })

/** Client frames, by `type`. */
export const CLIENT_FRAMES = {
  auth: frame(
    'auth',
    'Auth',
    { token: Type.String({ minLength: 1, maxLength: 4096, description: 'An access token' }), ref: Ref },
    'Signs in, or extends the connection with a newer token of the same user',
  ),
  subscribe: frame(
    'subscribe',
    'Subscribe',
    { topic: TopicName, filter: Type.Optional(Filter), after: Type.Optional(After), ref: Ref },
    'Requests the events of a topic: those after the cursor, if one is given, then new ones',
  ),
  unsubscribe: frame('unsubscribe', 'Unsubscribe', { topic: TopicName, ref: Ref }, 'Ends a subscription'),
  ping: frame('ping', 'Ping', { ref: Ref }, 'Requests a pong'),
} as const

/** Errors that leave the connection open. */
const ErrorCodes = Type.Union([
  Type.Literal('already_subscribed'),
  Type.Literal('binary_frame'),
  Type.Literal('forbidden'),
  Type.Literal('inactive_user'),
  Type.Literal('internal_error'),
  Type.Literal('invalid_frame'),
  Type.Literal('invalid_token'),
  Type.Literal('not_found'),
  Type.Literal('not_subscribed'),
  Type.Literal('number_not_exact'),
  Type.Literal('too_many_subscriptions'),
  Type.Literal('unavailable'),
  Type.Literal('validation_failed'),
])

/** Server frames, by `type`. */
export const SERVER_FRAMES = {
  ready: frame(
    'ready',
    'Ready',
    { client_id: Type.String(), user_id: Type.Integer(), expires_at: Timestamp, cursor: CursorText, ref: Ref },
    'Signed in until expires_at; cursor is the current position in the log',
  ),
  subscribed: frame(
    'subscribed',
    'Subscribed',
    {
      topic: TopicName,
      cursor: CursorText,
      gap: Type.Boolean({
        description:
          'Whether events after the given cursor are no longer in the log, or cannot be compared with your rights today, or the data was restored from a copy that lacks the cursor: list again',
      }),
      ref: Ref,
    },
    'Every event of the topic after cursor follows, once and in order. Sent again, with a gap, if a change concerned too many records to follow each: list again',
  ),
  unsubscribed: frame(
    'unsubscribed',
    'Unsubscribed',
    { topic: TopicName, ref: Ref },
    'The subscription has ended; also sent when you lose access',
  ),
  pong: frame('pong', 'Pong', { ref: Ref }, 'The reply to a ping'),
  error: frame(
    'error',
    'Error',
    { code: ErrorCodes, detail: Type.String({ description: 'Explanation for people; may change' }), ref: Ref },
    'A frame was refused; the connection stays open',
  ),
  event: frame(
    'event',
    'Event',
    {
      topic: TopicName,
      cursor: CursorText,
      event: Type.String({ pattern: EVENT_PATTERN, description: EVENTS_TEXT }),
      data: Type.Unsafe<object>(Type.Union([...SUBJECTS])),
    },
    'A committed change. Store the cursor to resume from it; data is the record after the change, or before its deletion, or the job; for left only its id',
  ),
} as const

/** A cursor in wire format. */
export const formatCursor = ({ epoch, position }: Cursor): string => `${epoch}.${position}`

/** A plain number belongs to no known epoch. */
export const parseCursor = (after: Static<typeof After>): Cursor => {
  const [, epoch = '', position = 0] = CURSOR.exec(String(after)) ?? []
  return { epoch, position: Number(position) }
}

type FrameOf<T extends Record<string, TSchema>> = { [Name in keyof T]: Static<T[Name]> }[keyof T]

export type ClientFrame = FrameOf<typeof CLIENT_FRAMES>
export type ServerFrame = FrameOf<typeof SERVER_FRAMES>
export type FrameErrorCode = Static<typeof ErrorCodes>

type ClientFrameName = keyof typeof CLIENT_FRAMES
type FrameCheck = TypeCheck<(typeof CLIENT_FRAMES)[ClientFrameName]>

const checks = new Map<ClientFrameName, FrameCheck>()

/** Compiled for the first frame of a type, because all together would make every start longer. */
const checkOf = (type: ClientFrameName): FrameCheck => {
  const check = checks.get(type) ?? TypeCompiler.Compile(CLIENT_FRAMES[type])
  checks.set(type, check)
  return check
}

/** The result of reading a text: a frame, a text that is not a JSON object, or an object that is not a valid frame. */
export type Received =
  | { readonly kind: 'frame'; readonly frame: ClientFrame }
  | { readonly kind: 'text' }
  | {
      readonly kind: 'invalid'
      readonly code: FrameErrorCode
      readonly detail: string
      readonly ref: string | undefined
    }

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isKnown = (type: unknown): type is ClientFrameName =>
  typeof type === 'string' && Object.hasOwn(CLIENT_FRAMES, type)

const refOf = ({ ref }: Record<string, unknown>): string | undefined =>
  typeof ref === 'string' && ref.length <= 64 ? ref : undefined

/** Paths in replies are truncated to this length, because they may contain a name from the client. */
const MAX_PATH_LENGTH = 200

/** Reads one text from a client and checks it by {@link CLIENT_FRAMES}. */
export const readFrame = (text: string): Received => {
  const value = parsed(text)
  if (!isObject(value)) return { kind: 'text' }
  const ref = refOf(value)
  const invalid = (detail: string, code: FrameErrorCode = 'invalid_frame'): Received => ({
    kind: 'invalid',
    code,
    detail,
    ref,
  })
  // Frames are too small to need further limits.
  if (outlineJson(text, text.length, text.length).hasLongNumber && inexactNumbers(text, 1).length > 0) {
    return invalid('The frame has a number that a double cannot represent', 'number_not_exact')
  }
  if (!isKnown(value.type)) return invalid('type must be auth, subscribe, unsubscribe or ping')
  const check = checkOf(value.type)
  if (check.Check(value)) return { kind: 'frame', frame: value }
  const path = check.Errors(value).First()?.path.slice(0, MAX_PATH_LENGTH) ?? ''
  return invalid(`${path === '' ? 'The frame' : path} does not have the expected form`)
}
