import type { Case } from '../lib/case.ts'
import { compare } from '../lib/compare.ts'
import { startFloor } from '../lib/floor.ts'
import { databaseOf, signUp, startSkep } from '../lib/skep.ts'

/** An authenticated read with limits, request id and log, beside the same row read by a raw server. */
export const usersMe: Case = {
  name: 'users-me',
  about: 'GET /api/v1/users/me with a token, beside raw Bun.serve and the same statement',
  async run(context) {
    const core = context.cores.server
    const folder = context.folder()
    await using skep = await startSkep(context.form, { folder, core })
    const { id, token } = await signUp(skep.url)
    const args = [databaseOf(folder), String(id)]
    await using floor = await startFloor('users-me', { folder: context.folder(), core, args })
    const headers = { authorization: `Bearer ${token}` }
    return await compare(context, { skep, floor, atLeast: 0.75 }, { path: '/api/v1/users/me', headers })
  },
}
