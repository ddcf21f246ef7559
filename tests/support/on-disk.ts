import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Server } from './process.ts'
import { type Member, signIn } from './skep.ts'

/** A text of an item that takes a few pages of the database. */
export const LARGE = 'x'.repeat(9_000)

export const newMember = async (skep: Server): Promise<Member> => {
  const credentials = { email: 'ann@example.com', password: 'correct horse' }
  const { body } = await skep.call<{ id: number }>('POST', '/users/', { json: { name: 'Ann', ...credentials } })
  return signIn(skep.call, { id: body.id, ...credentials })
}

/** Makes an item. */
export const create = (skep: Server, token: string) =>
  skep.call<{ id: number; code: string }>('POST', '/items/', { token, json: { title: 'Oak', description: LARGE } })

export const countItems = async (skep: Server, token: string) =>
  (await skep.call<{ total: number }>('GET', '/items/?size=1', { token })).body.total

/** The files with the bytes of uploads. */
export const blobsIn = (dataDir: string) =>
  readdirSync(join(dataDir, 'files'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
