import type { Member, TestSkep } from './skep.ts'

/** An item as REST shows it. */
export interface Item {
  readonly id: number
  readonly title: string
  readonly version: number
  readonly updated_at: string
  readonly code?: string
}

/** The longest description of an item. */
export const LARGE = '\u{1F600}'.repeat(10_000)

/** Creates an item. */
export const create = (skep: TestSkep, { token }: Pick<Member, 'token'>, description = 'x', title = 'Oak') =>
  skep.call<Item>('POST', '/items/', { token, json: { title, description } })

/** Sends a batch of operations on items. */
export const batch = (skep: TestSkep, { token }: Pick<Member, 'token'>, operations: readonly object[], key?: string) =>
  skep.call<{ results: (Item | null)[]; code?: string; index?: number }>('POST', '/items/batch', {
    token,
    json: { operations },
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  })
