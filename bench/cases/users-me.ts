import type { Case } from '../lib/case.ts'
import { compare } from '../lib/compare.ts'
import { startFloor } from '../lib/floor.ts'
import { databaseOf, signUp, startSkep } from '../lib/skep.ts'

const compareWithFloor = (floorName: string, atLeast: number): Case['run'] =>
  async function run(context) {
    const core = context.cores.server
    const folder = context.folder()
    await using skep = await startSkep(context.form, { folder, core })
    const { id, token } = await signUp(skep.url)
    const args = [databaseOf(folder), String(id)]
    await using floor = await startFloor(floorName, { folder: context.folder(), core, args })
    const headers = { authorization: `Bearer ${token}` }
    return await compare(context, { skep, floor, atLeast }, { path: '/api/v1/users/me', headers })
  }

/** An authenticated read with limits, request id and log, beside the same row read by a raw server. */
export const usersMe: Case = {
  name: 'users-me',
  about: 'GET /api/v1/users/me with a token, beside raw Bun.serve and the same statement',
  run: compareWithFloor('users-me', 0.75),
}

/** The same beside what no program of this stack can leave out: how much of the distance to the floor is the duties'. */
export const usersMeDuties: Case = {
  name: 'users-me-duties',
  about: 'the same, beside raw Bun.serve that also gives request id, policy, limits and a line in the log',
  run: compareWithFloor('users-me-duties', 0.8),
}
