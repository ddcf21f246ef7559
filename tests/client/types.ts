// What must compile, and what must not. Nothing here runs: `tsc` checks it.

import {
  type Client,
  createClient,
  isSkepError,
  type Page,
  type ProblemCode,
  SkepError,
} from '../../client/src/index.ts'
import type { ProblemCode as ServerCode } from '../../src/adapters/http/problem-codes.ts'
import type { Collections, List, Task } from './collections.ts'

type Equal<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false
const holds = <_ extends true>(): void => {}

holds<Equal<ProblemCode, ServerCode>>()

export const records = async (client: Client<Collections>): Promise<void> => {
  const tasks = client.collection('tasks')
  const page: Page<Task> = await tasks.list({ sort: '-due_at', expand: ['list', 'list.owner'] })
  const name: string | undefined = page.items[0]?.expanded?.list?.name
  const record: Task = await tasks.create({ title: name ?? 'Milk' })
  await tasks.update(record.id, { done: null }, { version: record.version })
  for await (const { title } of tasks.all()) title.toUpperCase()
  const [task, list, none] = await client.batch([
    { collection: 'tasks', op: 'update', id: 1, version: 2, done: true },
    { collection: 'lists', op: 'create', name: 'Groceries' },
    { collection: 'tasks', op: 'delete', id: 1 },
  ])
  holds<Equal<[typeof task, typeof list, typeof none], [Task, List, null]>>()

  // @ts-expect-error no such collection
  client.collection('task')
  // @ts-expect-error the title is missing
  await tasks.create({ done: true })
  // @ts-expect-error no such field
  await tasks.update(1, { colour: 'red' })
  // @ts-expect-error no such field to sort by
  await tasks.list({ sort: 'colour' })
  // @ts-expect-error `name` is a field of lists
  await client.batch([{ collection: 'tasks', op: 'create', name: 'Groceries' }])
}

export const lists = (client: Client<Collections>): void => {
  const live = client.collection('tasks').live({ sort: '-due_at', limit: 10 })
  const snapshot: readonly Task[] = live.getSnapshot()
  snapshot.at(0)
  // What React, Svelte and Solid expect of a store.
  const external: { subscribe: (changed: () => void) => () => void; getSnapshot: () => readonly Task[] } = live
  const store: { subscribe: (run: (value: readonly Task[]) => void) => () => void } = live
  external.getSnapshot()
  store.subscribe(() => {})
  // @ts-expect-error what references lead to has events of its own
  client.collection('tasks').live({ expand: 'list' })
  // @ts-expect-error search has no events
  client.collection('tasks').live({ q: 'milk' })
  // @ts-expect-error a snapshot is not for changing
  live.getSnapshot().push(snapshot[0])
}

export const events = (client: Client<Collections>): void => {
  client.subscribe('tasks', {
    onEvent(event) {
      if (event.type === 'left') holds<Equal<typeof event.data, { readonly id: number }>>()
      else holds<Equal<typeof event.data, Task>>()
    },
  })
  client.subscribe('lists/7', { onEvent: () => {} })
  // @ts-expect-error no such topic
  client.subscribe('colours', { onEvent: () => {} })
}

export const errors = (error: unknown): number => {
  if (isSkepError(error, 'version_mismatch', 'not_found')) {
    holds<Equal<typeof error.code, 'version_mismatch' | 'not_found'>>()
    // @ts-expect-error it is neither of these
    return error.code === 'forbidden' ? 1 : error.status
  }
  // @ts-expect-error no such code
  isSkepError(error, 'teapot')
  return error instanceof SkepError ? error.status : 0
}

/** Without declarations every collection has records of any fields. */
export const untyped = async (): Promise<unknown> => {
  const record = await createClient({ url: '' }).collection('anything').create({ colour: 'red' })
  return [record.id.toFixed(), record.colour]
}
