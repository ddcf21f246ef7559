import type { TSchema } from '@sinclair/typebox'
import { CLIENT_EXAMPLES, SERVER_EXAMPLES } from './asyncapi-examples.ts'
import { CLIENT_FRAMES, CLOSE, MAX_FRAME_BYTES, SERVER_FRAMES } from './frames.ts'
import { TOPICS_TABLE } from './subjects.ts'

type Node = Readonly<Record<string, unknown>>

const DESCRIPTION = `Changes as they happen, and those that happened while you were away.

## Signing in

Send an access token as \`Authorization: Bearer TOKEN\` with the upgrade, or, where a header cannot be set, in a first
frame \`auth\` within 10 seconds. Another \`auth\` with a newer token extends the connection before it expires. A page of
another origin than the server's must be named in \`CORS_ORIGINS\`.

## Topics

| topic | whose events |
|---|---|
${TOPICS_TABLE}

One subscription a topic, at most 100 a connection. Who may see an event is judged when it is delivered.

## Coming back

Keep the cursor of the last event, or of \`ready\` and \`subscribed\` before there is one. Subscribed \`after\` it, you get
everything since in order, then what happens next: none is lost and none comes twice. \`gap\` says that the log no longer
goes back so far, or that the data was restored from a copy that had not come so far; load the state anew then. A cursor
is text that means something to the server alone; the bare numbers of older versions are accepted, and are a gap.

## How a connection ends

| code | why |
|---|---|
| ${CLOSE.goingAway} | the server stops |
| 1007 | a text was not UTF-8 |
| ${CLOSE.tooBig} | a message was larger than ${MAX_FRAME_BYTES / 1_024} kB |
| ${CLOSE.internal} | something went wrong on our side |
| ${CLOSE.tryAgain} | the database does not answer: connect again later and resume by cursor |
| ${CLOSE.signedOut} | not signed in in time, or the token, the session or the account has ended |
| ${CLOSE.tooSlow} | more than 1 MiB waited to be read, or for 30 seconds nothing was: connect again and resume by cursor |
| ${CLOSE.tooMany} | more than 100 frames of any kind in 10 seconds, or more than \`MAX_SOCKETS_PER_USER\` (20) connections of one user |
`

const CHANNEL = '#/channels/socket'
const reference = ($ref: string): Node => ({ $ref })
const messageOf = (name: string) => reference(`${CHANNEL}/messages/${name}`)

/** As plain JSON: TypeBox marks its schemas with symbols. */
const toPlainJson = (schema: TSchema): unknown => JSON.parse(JSON.stringify(schema))

/** Clients must tolerate properties that a later version adds. */
const opened = (schema: TSchema): unknown =>
  JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
    key === 'additionalProperties' && value === false ? undefined : value,
  )

const jsonMessage = (
  name: string,
  { title, description }: TSchema,
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
  text: textMessage('text', 'Text', { description: 'Anything that is no JSON object' }, 'hello'),
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

/** The document describes the server's view: it receives client frames. */
const operations = (): Node => ({
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
    summary: 'Unasked, after signing in by header',
    channel: reference(CHANNEL),
    messages: [messageOf('ready')],
  },
  deliver: {
    action: 'send',
    summary: 'Every event of the topics that are subscribed',
    channel: reference(CHANNEL),
    messages: [messageOf('event')],
  },
  end: {
    action: 'send',
    summary: 'Unasked, when its record or the rank is no longer yours: the subscription has ended',
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

/** The AsyncAPI 3 document of the protocol, built from the schemas that validate frames. */
export const describeSocket = (version: string, publicUrl: string): Node => {
  const all = messages()
  return {
    asyncapi: '3.0.0',
    info: { title: 'Skep', version, description: DESCRIPTION, license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    servers: { skep: serverAt(publicUrl) },
    channels: {
      socket: {
        address: '/ws/{client_id}',
        title: 'The socket',
        parameters: { client_id: { description: 'Your name for this client: 1 to 64 of `A-Za-z0-9_-`' } },
        messages: Object.fromEntries(
          Object.keys(all).map((name) => [name, reference(`#/components/messages/${name}`)]),
        ),
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
    },
    operations: operations(),
    components: {
      messages: all,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'With the upgrade; or the same token in a first frame `auth`',
        },
      },
    },
  }
}
