import { residentMegabytes } from '../../tests/support/resources.ts'
import type { Case } from '../lib/case.ts'
import { gatherCrowd, SECRET } from '../lib/crowd.ts'
import { openRawSocket, type RawSocket } from '../lib/raw-socket.ts'
import type { Server } from '../lib/server.ts'
import { startSkep } from '../lib/skep.ts'

const SOCKETS_COUNT = 10_000
const SOCKETS_PER_USER = 20
const MAX_CONCURRENT_COUNT = 100
const WARM_UP_COUNT = 500
const SETTLE_MS = 5_000

/** Opens a signed-in socket for each token. */
const openAll = async ({ url }: Server, tokens: readonly string[]): Promise<RawSocket[]> => {
  const sockets: RawSocket[] = []
  const open = async (token: string) => {
    const socket = await openRawSocket({
      url: `${url}/ws/bench`,
      token,
      onEnd(why) {
        throw new Error(`a socket ended: ${why}`)
      },
    })
    await socket.received(1)
    sockets.push(socket)
  }
  for (let first = 0; first < tokens.length; first += MAX_CONCURRENT_COUNT) {
    await Promise.all(tokens.slice(first, first + MAX_CONCURRENT_COUNT).map(open))
  }
  return sockets
}

/** What the server holds for a client that is connected and says nothing. */
export const idleSockets: Case = {
  name: 'idle-sockets',
  about: `memory for each of ${SOCKETS_COUNT} signed-in sockets, idle and subscribed`,
  async run(context) {
    const form = context.deployedForm
    const folder = context.folder()
    const users = SOCKETS_COUNT / SOCKETS_PER_USER
    const tokens = await gatherCrowd({ form, folder, users, sessionsEach: SOCKETS_PER_USER, role: 'user' })
    await using skep = await startSkep(form, { folder, core: null, env: SECRET })
    // What the program needs for itself once it has done this.
    for (const socket of await openAll(skep, tokens.slice(0, WARM_UP_COUNT))) socket.close()
    await Bun.sleep(SETTLE_MS)
    const before = residentMegabytes(skep.pid)
    const sockets = await openAll(skep, tokens)
    await Bun.sleep(SETTLE_MS)
    const signedIn = residentMegabytes(skep.pid)
    for (const socket of sockets) socket.send('{"type":"subscribe","topic":"items"}')
    await Promise.all(sockets.map((socket) => socket.received(2)))
    await Bun.sleep(SETTLE_MS)
    const subscribed = residentMegabytes(skep.pid)
    for (const socket of sockets) socket.close()
    const each = (memory: number) => ((memory - before) * 1_000) / SOCKETS_COUNT
    return {
      figures: [
        { name: 'each, signed in', unit: 'kB', value: each(signedIn), bar: { of: 'value', atMost: 20 } },
        { name: 'each, subscribed', unit: 'kB', value: each(subscribed) },
      ],
      detail: { form: form.name, sockets: SOCKETS_COUNT, memory_mb: { before, signed_in: signedIn, subscribed } },
    }
  },
}
