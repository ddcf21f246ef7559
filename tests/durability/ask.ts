import type { Static, TSchema } from '@sinclair/typebox'
import { Type } from '@sinclair/typebox'
import { callAt } from '../support/call.ts'
import { expectShape } from '../support/load/acknowledge.ts'

export const ItemShape = Type.Object({
  id: Type.Number(),
  title: Type.String(),
  description: Type.Union([Type.String(), Type.Null()]),
  data: Type.Record(Type.String(), Type.Unknown()),
  version: Type.Number(),
})

export const FileShape = Type.Object({
  id: Type.Number(),
  filename: Type.String(),
  size: Type.Number(),
  sha256: Type.String(),
})

export const LinkShape = Type.Object({ id: Type.Number(), url: Type.String() })

export const JobShape = Type.Object({ id: Type.Number(), kind: Type.String(), state: Type.String() })

const Page = Type.Object({
  items: Type.Array(Type.Unknown()),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
})

const Total = Type.Object({ total: Type.Number() })

/** All pages of a list, read on by cursor. */
export const readAll = async <T extends TSchema>(url: string, path: string, token: string, shape: T) => {
  const all: Static<T>[] = []
  let cursor: string | null = null
  do {
    const query: string = `size=100${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`
    const { status, body } = await callAt(url, 'GET', `${path}${path.includes('?') ? '&' : '?'}${query}`, { token })
    if (status !== 200) throw new Error(`${path} answered ${status}`)
    const page: Static<typeof Page> = expectShape(Page, body)
    for (const each of page.items) all.push(expectShape(shape, each))
    cursor = page.next_cursor
  } while (cursor !== null)
  return all
}

/** How many a list has. */
export const countOf = async (url: string, path: string, token: string): Promise<number> => {
  const { status, body } = await callAt(url, 'GET', `${path}${path.includes('?') ? '&' : '?'}size=1`, { token })
  if (status !== 200) throw new Error(`${path} answered ${status}`)
  return expectShape(Total, body).total
}
