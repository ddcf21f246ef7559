import { AUDIENCE, socketUrl } from '../lib/audience.ts'
import { fetched } from '../lib/beside.ts'
import type { Case, Context } from '../lib/case.ts'
import { gatherCrowd, SECRET } from '../lib/crowd.ts'
import {
  aloneFigures,
  CHANGES_PER_SECOND,
  changesAlone,
  type Followed,
  kept,
  keptFigure,
  latencyDuringReadsFigure,
  measureReadsWithChanges,
  pairsOf,
  SHARED_CORE,
} from '../lib/followed.ts'
import { DRAFT } from '../lib/items.ts'
import type { Server } from '../lib/server.ts'
import { startSkep } from '../lib/skep.ts'
import { spreadOf } from '../lib/statistics.ts'

const MAX_CONCURRENT_COUNT = 50

/** An item of each, and who hears of it: its owner. */
const follow = async (server: Server, tokens: readonly string[]): Promise<Followed> => {
  const create = async (token: string, socket: number) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const { body } = await fetched(`${server.url}/api/v1/items/`, { method: 'POST', headers, body: DRAFT, status: 201 })
    return { url: `${server.url}/api/v1/items/${(JSON.parse(body) as { readonly id: number }).id}`, token, socket }
  }
  const targets: Followed['targets'][number][] = []
  for (let first = 0; first < tokens.length; first += MAX_CONCURRENT_COUNT) {
    const some = tokens.slice(first, first + MAX_CONCURRENT_COUNT).map((token, index) => create(token, first + index))
    targets.push(...(await Promise.all(some)))
  }
  const subscribe = JSON.stringify({ type: 'subscribe', topic: 'items' })
  return { server, url: socketUrl(server), tokens, subscribe, targets }
}

/** A thousand users who each follow what is theirs: each change is heard of by one of them. */
export const ownChanges: Case = {
  name: 'own-changes',
  about: `${CHANGES_PER_SECOND} changes/s, each heard of by one of ${AUDIENCE} users, alone and beside reads from wrk`,
  async run(context: Context) {
    const { form, cores } = context
    const folder = context.folder()
    const tokens = await gatherCrowd({ form, folder, users: AUDIENCE, sessionsEach: 1, role: 'user' })
    await using skep = await startSkep(form, { folder, core: cores.server, env: SECRET })
    const followed = await follow(skep, tokens)
    const alone = await changesAlone(context, followed)
    const pairs = await measureReadsWithChanges(context, followed, { what: 'Skep', rounds: pairsOf(context) })
    return {
      figures: [...aloneFigures(alone), latencyDuringReadsFigure(pairs), keptFigure(pairs)],
      notes: [SHARED_CORE],
      detail: { form: form.name, sockets: tokens.length, alone, ratio: spreadOf(kept(pairs)), rounds: pairs },
    }
  },
}
