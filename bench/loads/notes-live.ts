/**
 * Notes that are created at a given rate, and subscribers that hear of them. Times go from before the request was sent
 * until a subscriber has the event.
 */
import { openRawSocket } from '../lib/raw-socket.ts'
import { percentile } from '../lib/statistics.ts'

export interface NotesLiveInput {
  readonly url: string
  readonly kind: 'skep' | 'pocketbase' | 'trailbase' | 'publish'
  readonly token: string
  /** Where notes are created; `{n}` in the body stands for the number of a note. */
  readonly create: { readonly path: string; readonly body: string }
  readonly subscribers: number
  readonly perSecond: number
  readonly seconds: number
}

/** Milliseconds. */
export interface NotesLiveReport {
  readonly p50: number
  readonly p99: number
  readonly received: number
}

const { url, kind, token, create, subscribers, perSecond, seconds } = (await Bun.stdin.json()) as NotesLiveInput
const authorization = `Bearer ${token}`
const TIMEOUT_MS = 15_000

const sentAt: number[] = []
const times: number[] = []
const finished = Promise.withResolvers<void>()
let due = Number.POSITIVE_INFINITY

const fail = (why: string): void => {
  console.error(why)
  process.exit(1)
}

const onText = (text: string): void => {
  const number = /live note (\d+) of/.exec(text)?.[1]
  if (number === undefined) return
  times.push(performance.now() - (sentAt[Number(number)] ?? Number.NaN))
  if (times.length >= due) finished.resolve()
}

const openSocket = async (path: string, hello: string | null): Promise<void> => {
  const socket = await openRawSocket({
    url: url + path,
    token,
    keep: Number.POSITIVE_INFINITY,
    onText,
    onEnd: fail,
  })
  await socket.received(1)
  if (hello === null) return
  socket.send(hello)
  await socket.received(2)
}

/** Calls `onMessage` with each message of a stream of SSE, which is not to end. */
const readEvents = async (body: ReadableStream<Uint8Array>, onMessage: (message: string) => void): Promise<void> => {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of body) {
    const messages = (rest + decoder.decode(piece, { stream: true })).split('\n\n')
    rest = messages.pop() ?? ''
    for (const message of messages) onMessage(message)
  }
  fail('a stream ended')
}

/** PocketBase sends events as SSE: it names the client first, which then says what it wants. */
const openStream = async (): Promise<void> => {
  const response = await fetch(`${url}/api/realtime`)
  if (response.body === null) throw new Error('no stream')
  const named = Promise.withResolvers<string>()
  void readEvents(response.body, (message) => {
    const clientId = /"clientId":"([^"]+)"/.exec(message)?.[1]
    if (clientId === undefined) onText(message)
    else named.resolve(clientId)
  })
  const subscribed = await fetch(`${url}/api/realtime`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId: await named.promise, subscriptions: ['notes/*'] }),
  })
  if (!subscribed.ok) fail(`a subscription was answered ${subscribed.status}`)
}

/** TrailBase sends events as SSE to whoever asks for them. */
const openRecords = async (): Promise<void> => {
  const response = await fetch(`${url}${create.path}/subscribe/*`, { headers: { authorization } })
  if (!response.ok || response.body === null) return fail(`a subscription was answered ${response.status}`)
  void readEvents(response.body, onText)
}

const OPEN = {
  skep: () => openSocket('/ws/bench', JSON.stringify({ type: 'subscribe', topic: 'notes' })),
  publish: () => openSocket('/ws', null),
  pocketbase: openStream,
  trailbase: openRecords,
} as const

for (let opened = 0; opened < subscribers; opened++) await OPEN[kind]()

const send = async (number: number): Promise<void> => {
  const body = create.body.replace('{n}', `live note ${number} of`)
  sentAt[number] = performance.now()
  const headers = { authorization, 'content-type': 'application/json' }
  const response = await fetch(url + create.path, { method: 'POST', headers, body })
  await response.text()
  if (!response.ok) fail(`a create was answered ${response.status}`)
}

const count = Math.ceil(perSecond * seconds)
const start = performance.now()
for (let number = 0; number < count; number++) {
  await Bun.sleep(Math.max(0, start + (number / perSecond) * 1_000 - performance.now()))
  void send(number)
}
due = count * subscribers
if (times.length < due) setTimeout(() => fail(`${times.length} of ${due} events came`), TIMEOUT_MS)
else finished.resolve()
await finished.promise
const report: NotesLiveReport = { p50: percentile(times, 50), p99: percentile(times, 99), received: times.length }
console.log(JSON.stringify(report))
process.exit(0)
