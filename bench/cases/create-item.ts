import type { Case } from '../lib/case.ts'
import { compare } from '../lib/compare.ts'
import { startFloor } from '../lib/floor.ts'
import { creation } from '../lib/items.ts'
import { databaseOf, signUp, startSkep } from '../lib/skep.ts'

const compareWithFloor = (floorName: string, atLeast: number): Case['run'] =>
  async function run(context) {
    const core = context.cores.server
    const folder = context.folder()
    const floorFolder = context.folder()
    // Makes the floor's tables, and its user.
    const other = await startSkep(context.form, { folder: floorFolder, core })
    await signUp(other.url)
    await other.stop()
    await using skep = await startSkep(context.form, { folder, core })
    const { id, token } = await signUp(skep.url)
    const args = [databaseOf(floorFolder), String(id)]
    await using floor = await startFloor(floorName, { folder: context.folder(), core, args })
    return await compare(context, { skep, floor, atLeast }, creation(token))
  }

/**
 * An item on the disk before it is answered, and in the text index; beside a raw server whose commits wait for no disk,
 * with the same table and its indexes, and no text index.
 */
export const createItem: Case = {
  name: 'create-item',
  about: 'POST /api/v1/items/ with a token, each durable, beside raw Bun.serve at synchronous=NORMAL',
  run: compareWithFloor('create-item', 1),
}

/** The same beside a raw server that does all that a create demands, and shares commits too. */
export const createItemDuties: Case = {
  name: 'create-item-duties',
  about:
    'the same, beside raw Bun.serve with the log of changes, words, usage, a shared durable commit and a line in the log',
  run: compareWithFloor('create-item-duties', 0.6),
}
