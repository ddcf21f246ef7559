import { createClient, filter, isSkepError, memoryStorage } from '../../client/src/index.ts'
import type { Task } from './collections.ts'
import { check, equal, person, refusal, type Tests } from './place.ts'

const titles = (records: readonly Task[]) => records.map(({ title }) => title)

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

/** Records, lists, batches and files. */
export const records: Tests = {
  async 'a record is created, read, changed and deleted'(place) {
    const { client, tasks } = await person(place)
    const task = await tasks.create({ title: 'Milk' })
    equal((await tasks.get(task.id)).title, 'Milk')
    equal((await tasks.update(task.id, { done: true })).done, true)
    equal((await tasks.update(task.id, { rank: 3 }, { version: 2 })).version, 3)
    await tasks.delete(task.id, { version: 3 })
    equal((await refusal(tasks.get(task.id))).code, 'not_found')
    client.close()
  },
  async 'with a key of its own, a call that is made again later has the result of the first'(place) {
    const { client, tasks } = await person(place)
    const options = { idempotencyKey: 'a-key-of-the-page' }
    const first = await tasks.create({ title: 'Milk' }, options)
    equal(await tasks.create({ title: 'Milk' }, options), first)
    const batch = () => client.batch([{ collection: 'tasks', op: 'create', title: 'Bread' }], options)
    equal(await batch(), await batch())
    equal((await tasks.list()).total, 2)
    client.close()
  },
  async 'a change of another version is refused, and narrows by its code'(place) {
    const { client, tasks } = await person(place)
    const task = await tasks.create({ title: 'Milk' })
    await tasks.update(task.id, { done: true })
    const error: unknown = await refusal(tasks.update(task.id, { title: 'Oat' }, { version: task.version }))
    check(isSkepError(error, 'version_mismatch', 'not_found'), 'it is one of these')
    check(!isSkepError(error, 'not_found'), 'it is not the other')
    equal((await refusal(tasks.delete(task.id, { version: 1 }))).code, 'version_mismatch')
    const invalid = await refusal(tasks.update(task.id, { title: '' }, { version: 2 }))
    equal([invalid.code, invalid.errors[0]?.pointer], ['validation_failed', '/title'])
    client.close()
  },
  async 'a list is filtered, sorted, counted, searched and expanded'(place) {
    const { client, tasks, lists } = await person(place)
    const { id: list } = await lists.create({ name: 'Groceries' })
    for (const title of ['Milk', 'Bread', 'Salt']) await tasks.create({ title, list, done: title === 'Salt' })
    const page = await tasks.list({ filter: '!done', sort: 'title', expand: ['list'], size: 1 })
    equal([titles(page.items), page.total], [['Bread'], 2])
    equal(page.items[0]?.expanded?.list?.name, 'Groceries')
    equal(titles((await tasks.list({ q: 'mil' })).items), ['Milk'])
    const next = await tasks.list({ filter: '!done', sort: 'title', size: 1, cursor: page.next_cursor ?? '' })
    equal(titles(next.items), ['Milk'])
    client.close()
  },
  async 'iteration reads every page, and stops where the loop does'(place) {
    const { client, tasks } = await person(place)
    const wanted = Array.from(
      { length: 7 },
      (_, rank) => ({ collection: 'tasks', op: 'create', title: `t${rank}`, rank }) as const,
    )
    await client.batch(wanted)
    const ranks: (number | undefined)[] = []
    for await (const { rank } of tasks.all({ sort: 'rank', size: 3 })) ranks.push(rank)
    equal(ranks, [0, 1, 2, 3, 4, 5, 6])
    for await (const { rank } of tasks.all({ sort: 'rank', size: 3 })) if (rank === 1) break
    client.close()
  },
  async 'a filter quotes what it is given'(place) {
    const { client, tasks } = await person(place)
    const hostile = '" || true || title == "\\\n\u2028'
    await tasks.create({ title: hostile, due_at: '2020-01-01T00:00:00.000Z', rank: -1 })
    await tasks.create({ title: 'Other', rank: 2 })
    equal((await tasks.list({ filter: filter`title == ${hostile}` })).total, 1)
    equal((await tasks.list({ filter: filter`title in ${['Other', hostile]} && rank > ${-2}` })).total, 2)
    equal((await tasks.list({ filter: filter`due_at < ${new Date()} && done == ${false}` })).total, 1)
    client.close()
  },
  async 'a batch takes effect as a whole or not at all'(place) {
    const { client, tasks } = await person(place)
    const [milk, none] = await client.batch([
      { collection: 'tasks', op: 'create', title: 'Milk' },
      { collection: 'lists', op: 'create', name: 'Groceries' },
    ])
    equal([milk.title, none.name], ['Milk', 'Groceries'])
    const error = await refusal(
      client.batch([
        { collection: 'tasks', op: 'delete', id: milk.id },
        { collection: 'tasks', op: 'create', title: '' },
      ]),
    )
    equal([error.code, error.index], ['validation_failed', 1])
    equal((await tasks.list()).total, 1)
    client.close()
  },
  async 'a call ends with its signal'(place) {
    const { client, tasks } = await person(place)
    const controller = new AbortController()
    const calls = [
      refusal(tasks.list({ signal: controller.signal })),
      refusal(tasks.create({ title: 'x' }, { signal: controller.signal })),
    ]
    controller.abort()
    equal(
      (await Promise.all(calls)).map(({ code }) => code),
      ['aborted', 'aborted'],
    )
    equal((await refusal(tasks.list({ signal: AbortSignal.abort() }))).code, 'aborted')
    client.close()
  },
  async 'a server that cannot be reached is a network error'() {
    const client = createClient({ url: 'http://127.0.0.1:9', storage: memoryStorage() })
    const { code, status } = await refusal(client.collection('tasks').list())
    equal([code, status], ['network_error', 0])
    client.close()
  },
  async 'a file is uploaded, downloaded, linked and deleted'(place) {
    const { client } = await person(place)
    const bytes = Uint8Array.from(atob(PNG), (c) => c.charCodeAt(0))
    const progress: number[] = []
    const file = await client.files.upload(new Blob([bytes]), {
      filename: 'dot.png',
      onProgress: (sentBytes, totalBytes) => progress.push(sentBytes / totalBytes),
    })
    equal([file.filename, file.size, progress.at(-1)], ['dot.png', bytes.length, 1])
    equal((await (await client.files.download(file.id)).arrayBuffer()).byteLength, bytes.length)
    const link = await client.files.link(file.id, { expiresInSeconds: 60 })
    equal((await fetch(link.url)).status, 200)
    equal((await client.files.links(file.id)).items.length, 1)
    await client.files.unlink(file.id, link.id)
    equal((await client.files.list()).items.length, 1)
    await client.files.delete(file.id)
    equal((await refusal(client.files.get(file.id))).code, 'not_found')
    client.close()
  },
}
