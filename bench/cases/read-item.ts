import type { Case } from '../lib/case.ts'
import { compare } from '../lib/compare.ts'
import { startFloor } from '../lib/floor.ts'
import { readingOfOne } from '../lib/items.ts'
import { databaseOf, signUp, startSkep } from '../lib/skep.ts'

const compareWithFloor = (floorName: string, atLeast: number): Case['run'] =>
  async function run(context) {
    const core = context.cores.server
    const folder = context.folder()
    await using skep = await startSkep(context.form, { folder, core })
    const { id, token } = await signUp(skep.url)
    const args = [databaseOf(folder), String(id)]
    await using floor = await startFloor(floorName, { folder: context.folder(), core, args })
    return await compare(context, { skep, floor, atLeast }, await readingOfOne(skep.url, token))
  }

/** One item, with its owner checked and its ETag, beside the same row read by a raw server. */
export const readItem: Case = {
  name: 'read-item',
  about: 'GET /api/v1/items/{id} with a token, beside raw Bun.serve and the same statement',
  run: compareWithFloor('read-item', 0.6),
}

/** The same beside what no program of this stack can leave out. */
export const readItemDuties: Case = {
  name: 'read-item-duties',
  about: 'the same, beside raw Bun.serve that also gives request id, policy, limits, owner, ETag and a line in the log',
  run: compareWithFloor('read-item-duties', 0.8),
}
