import type { Case } from '../lib/case.ts'
import { compare } from '../lib/compare.ts'
import { startFloor } from '../lib/floor.ts'
import { readingOfOne } from '../lib/items.ts'
import { databaseOf, signUp, startSkep } from '../lib/skep.ts'

/** One item, with its owner checked and its ETag, beside the same row read by a raw server. */
export const readItem: Case = {
  name: 'read-item',
  about: 'GET /api/v1/items/{id} with a token, beside raw Bun.serve and the same statement',
  async run(context) {
    const core = context.cores.server
    const folder = context.folder()
    await using skep = await startSkep(context.form, { folder, core })
    const { token } = await signUp(skep.url)
    const args = [databaseOf(folder)]
    await using floor = await startFloor('read-item', { folder: context.folder(), core, args })
    return await compare(context, { skep, floor, atLeast: 0.6 }, await readingOfOne(skep.url, token))
  },
}
