import type { Context } from './case.ts'
import { gatherCrowd, SECRET } from './crowd.ts'
import { GREETINGS_COUNT } from './greetings.ts'
import { openRawSocket } from './raw-socket.ts'
import type { Server } from './server.ts'
import { startSkep } from './skep.ts'

const USERS_COUNT = 50
/** As many as one user may have. */
const SOCKETS_PER_USER = 20

/** How many sockets hear the same. */
export const AUDIENCE = USERS_COUNT * SOCKETS_PER_USER

/** What each sends once it is greeted: all of them are admins. */
export const SUBSCRIBE = JSON.stringify({ type: 'subscribe', topic: 'items/all' })

export interface Audience extends AsyncDisposable {
  readonly skep: Server
  /** Of the socket. */
  readonly url: string
  /** One for each socket. */
  readonly tokens: readonly string[]
  /** Of someone who changes what they hear of. */
  readonly headers: Readonly<Record<string, string>>
}

export const socketUrl = ({ url }: Server) => `${url}/ws/bench`

/** A server, and tokens for a thousand sockets that may hear everything. */
export const startAudience = async (
  { form, cores, folder }: Context,
  {
    core = cores.server,
    env = {},
  }: { readonly core?: number | null; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Audience> => {
  const home = folder()
  const people = await gatherCrowd({ form, folder: home, users: USERS_COUNT, sessionsEach: 1, role: 'admin' })
  const skep = await startSkep(form, { folder: home, core, env: { ...SECRET, ...env } })
  return {
    skep,
    url: socketUrl(skep),
    tokens: people.flatMap((token) => Array.from({ length: SOCKETS_PER_USER }, () => token)),
    headers: { authorization: `Bearer ${people[0]}`, 'content-type': 'application/json' },
    [Symbol.asyncDispose]: skep.stop,
  }
}

/** The text that one change makes, as a subscriber gets it. */
export const eventOf = async ({ url, tokens }: Audience, change: () => Promise<unknown>): Promise<string> => {
  const texts: string[] = []
  const [token = ''] = tokens
  const socket = await openRawSocket({ url, token, onText: (text) => void texts.push(text) })
  await socket.received(1)
  socket.send(SUBSCRIBE)
  await socket.received(GREETINGS_COUNT)
  await change()
  await socket.received(GREETINGS_COUNT + 1)
  socket.close()
  const [, , event = ''] = texts
  if (JSON.parse(event).type !== 'event') throw new Error(`no event: ${event}`)
  return event
}
