import type { TSchema } from '@sinclair/typebox'
import { LEFT } from '../../application/view-changes.ts'
import { type Collection, eventName, RECORD_CHANGES, titleOf } from '../../domain/collection.ts'
import { CLIENT_EXAMPLES, SERVER_EXAMPLES } from './asyncapi-examples.ts'
import { CLIENT_FRAMES, CLOSE, MAX_FRAME_BYTES, SERVER_FRAMES } from './frames.ts'
import { TOPICS_TABLE, topicPatternOf, topicRowsOf } from './subjects.ts'

type Node = Readonly<Record<string, unknown>>

const descriptionOf = (
  collections: readonly Collection[],
): string => `Changes as they happen, and the changes you missed while disconnected.

## Signing in

Send an access token as \`Authorization: Bearer TOKEN\` with the upgrade request. If you cannot set a header, send an
\`auth\` frame within 10 seconds of connecting. Send another \`auth\` frame with a newer token to extend the connection
before its token expires. The origin of a page must be the server's own or be listed in \`CORS_ORIGINS\`.

## Topics

| topic | events |
|---|---|
${[TOPICS_TABLE, ...collections.map(topicRowsOf)].join('\n')}

A connection has at most one subscription per topic and 100 in total. Access to an event is checked when it is
delivered.

With a \`filter\`, only matching records are sent. Of a collection defined at run time you receive the records that its
rule lets you read. \`NAME.left\`, with only the \`id\`, says that a record no longer matches, or that you may no longer read
it, whether the record has changed, one that it refers to, the rule or your role; a record that starts to match arrives as
\`created\` or \`updated\`. So a list that you have read after \`subscribed\`, with the events applied to it, stays what the
server would list. If a change concerns too many records, \`subscribed\` is sent again with \`gap\`: list again.

## Resuming

Store the cursor of the last event, or of \`subscribed\` or \`ready\` before the first event. If you subscribe with this
cursor as \`after\`, you receive all later events in order, then new events as they happen: none is lost or repeated.
\`gap\` is true if the log no longer goes back that far, or if the data was restored from a copy that lacks the cursor:
reload the state. A cursor is opaque. The plain numbers of older versions are accepted, and result in a gap.

## Close codes

| code | reason |
|---|---|
| ${CLOSE.goingAway} | the server is shutting down |
| 1007 | a text frame was not valid UTF-8 |
| ${CLOSE.tooBig} | a message was larger than ${MAX_FRAME_BYTES / 1_024} kB |
| ${CLOSE.internal} | internal error |
| ${CLOSE.tryAgain} | the database is unavailable, or the data was restored: reconnect later and resume by cursor |
| ${CLOSE.signedOut} | not signed in in time, or the token, the session or the account has ended |
| ${CLOSE.tooSlow} | more than 1 MiB was unread, or nothing was read for 30 seconds: reconnect and resume by cursor |
| ${CLOSE.tooMany} | more than 100 frames of any kind in 10 seconds, or more than \`MAX_SOCKETS_PER_USER\` (20) connections of one user |
`

const CHANNEL = '#/channels/socket'
const reference = ($ref: string): Node => ({ $ref })
const messageOf = (name: string) => reference(`${CHANNEL}/messages/${name}`)

/** As plain JSON: TypeBox marks its schemas with symbols. */
const toPlainJson = (schema: TSchema): Node => JSON.parse(JSON.stringify(schema))

/** Clients must tolerate properties that a later version adds. */
const opened = (schema: TSchema): unknown =>
  JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
    key === 'additionalProperties' && value === false ? undefined : value,
  )

const jsonMessage = (
  name: string,
  { title, description }: Pick<TSchema, 'title' | 'description'>,
  payload: unknown,
  examples: readonly unknown[],
) => ({
  name,
  title,
  summary: description,
  contentType: 'application/json',
  payload,
  examples: examples.map((example) => ({ payload: example })),
})

const textMessage = (name: string, title: string, payload: Node, example: string) => ({
  name,
  title,
  contentType: 'text/plain',
  payload: { type: 'string', ...payload },
  examples: [{ payload: example }],
})

const messages = (): Node => ({
  ...Object.fromEntries(
    Object.entries(CLIENT_FRAMES).map(([name, schema]) => [
      name,
      jsonMessage(name, schema, toPlainJson(schema), CLIENT_EXAMPLES[name as keyof typeof CLIENT_FRAMES]),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(SERVER_FRAMES).map(([name, schema]) => [
      name,
      jsonMessage(name, schema, opened(schema), SERVER_EXAMPLES[name as keyof typeof SERVER_FRAMES]),
    ]),
  ),
  text: textMessage('text', 'Text', { description: 'Text that is not a JSON object' }, 'hello'),
  echo: textMessage('echo', 'Echo', { pattern: '^Message received: ' }, 'Message received: hello'),
})

/** The replies to each client frame. */
const ANSWERS: Readonly<Record<keyof typeof CLIENT_FRAMES | 'text', readonly string[]>> = {
  auth: ['ready', 'error'],
  subscribe: ['subscribed', 'error'],
  unsubscribe: ['unsubscribed', 'error'],
  ping: ['pong'],
  text: ['echo'],
}

/** The document describes the server's view: it receives client frames. `events` are the messages with events. */
const operations = (events: readonly string[]): Node => ({
  ...Object.fromEntries(
    Object.entries(ANSWERS).map(([name, answers]) => [
      name,
      {
        action: 'receive',
        channel: reference(CHANNEL),
        messages: [messageOf(name)],
        reply: { channel: reference(CHANNEL), messages: answers.map(messageOf) },
      },
    ]),
  ),
  greet: {
    action: 'send',
    summary: 'Sent by the server after sign-in by header',
    channel: reference(CHANNEL),
    messages: [messageOf('ready')],
  },
  deliver: {
    action: 'send',
    summary: 'Sent for every event of the subscribed topics',
    channel: reference(CHANNEL),
    messages: events.map(messageOf),
  },
  end: {
    action: 'send',
    summary: 'Sent by the server when you lose access: the subscription has ended',
    channel: reference(CHANNEL),
    messages: [messageOf('unsubscribed')],
  },
})

const serverAt = (publicUrl: string): Node => {
  const { host, protocol, pathname } = new URL(publicUrl)
  return {
    host,
    protocol: protocol === 'https:' ? 'wss' : 'ws',
    ...(pathname === '/' ? {} : { pathname }),
    security: [reference('#/components/securitySchemes/bearer')],
  }
}

/** The name of the message with the events of a collection defined at run time. No other begins with a capital letter. */
const messageNameOf = (collection: Collection): string => `${titleOf(collection)}Event`

/** The frame of an event whose topic, event and data are described by these schemas. */
const eventFrame = (title: string, description: string, [topic, event, data]: readonly Node[]): Node => {
  const { type, cursor } = SERVER_FRAMES.event.properties
  const properties = { type, topic, cursor, event, data }
  return { type: 'object', title, description, required: Object.keys(properties), properties }
}

/**
 * The message with the events of a collection defined at run time, by its name. `record` is the schema of its records.
 * These frames are also {@link SERVER_FRAMES.event}s.
 */
export const describeEvents = (collection: Collection, record: Node): Node => {
  const name = messageNameOf(collection)
  const topic = { type: 'string', pattern: topicPatternOf(collection), examples: [collection.name] }
  const left = `${collection.singular}.${LEFT}`
  const changed = eventFrame(`${name}Changed`, 'A record was created, updated or deleted, or starts to match', [
    topic,
    { type: 'string', enum: RECORD_CHANGES.map((change) => eventName(collection, change)) },
    record,
  ])
  const gone = eventFrame(`${name}Left`, 'A record no longer matches, or may no longer be read', [
    topic,
    { type: 'string', enum: [left] },
    { type: 'object', required: ['id'], properties: { id: { type: 'integer' } } },
  ])
  const example = { type: 'event', topic: collection.name, cursor: '5kx0q2m9t4.44', event: left, data: { id: 7 } }
  return {
    [name]: jsonMessage(
      name,
      { title: name, description: `Events of ${collection.name}` },
      { oneOf: [changed, gone] },
      [example],
    ),
  }
}

/**
 * The AsyncAPI 3 document of the protocol, built from the schemas that validate frames. The messages with the events of
 * `collections`, which are defined at run time, are referred to, but not in it: see {@link describeEvents}.
 */
export const describeSocket = (version: string, publicUrl: string, collections: readonly Collection[] = []): Node => {
  const all = messages()
  const added = collections.map(messageNameOf)
  return {
    asyncapi: '3.0.0',
    info: { title: 'Skep', version, description: descriptionOf(collections), license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    servers: { skep: serverAt(publicUrl) },
    channels: {
      socket: {
        address: '/ws/{client_id}',
        title: 'The socket',
        parameters: { client_id: { description: 'Your name for this client: 1 to 64 characters of `A-Za-z0-9_-`' } },
        messages: Object.fromEntries(
          [...Object.keys(all), ...added].map((name) => [name, reference(`#/components/messages/${name}`)]),
        ),
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
    },
    operations: operations(['event', ...added]),
    components: {
      messages: all,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'Sent with the upgrade request; or send the token in an `auth` frame',
        },
      },
    },
  }
}
