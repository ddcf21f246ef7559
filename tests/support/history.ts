import { type Calls, householdOn, type PageBody, type RecordBody } from './shopping.ts'
import type { TestSkep } from './skep.ts'

/** A version of a record as its history shows it. */
export interface VersionBody {
  readonly version: number
  readonly change: string
  readonly actor: { readonly id: number; readonly name: string | null } | null
  readonly session_id: number | null
  readonly job_id: number | null
  readonly changes: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>> | null
}

export const pathOf = (collection: string, id: number) =>
  collection === 'items' ? `/items/${id}` : `/collections/${collection}/records/${id}`

export const historyOf = (calls: Calls, collection: string, id: number, query = '') =>
  calls.call<PageBody<VersionBody>>('GET', `${pathOf(collection, id)}/history${query}`)

export const revert = <T = RecordBody>(calls: Calls, collection: string, id: number, version: number, headers = {}) =>
  calls.call<T>('POST', `${pathOf(collection, id)}/revert`, { json: { version }, headers })

/** A list with a member, and one of its tasks, which the member has changed. */
export const changedTaskOn = async (skep: TestSkep) => {
  const home = await householdOn(skep)
  const { owner, member, list } = home
  const { body: task } = await owner.create('tasks', { title: 'Milk', list: list.id })
  await member.patch('tasks', task.id, { title: 'Oat milk', done: true })
  return { ...home, task }
}
