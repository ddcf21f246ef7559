import { filter, type SkepError } from '../../client/src/index.ts'
import type { Task } from './collections.ts'
import { check, equal, person, type Tests, until } from './place.ts'

const titles = (records: readonly Task[]) => records.map(({ title }) => title)

/** Subscriptions and live lists. */
export const realtime: Tests = {
  async 'closing the client closes its live lists, also one that is being read'(place) {
    const { client, tasks } = await person(place)
    const list = tasks.live()
    client.close()
    equal(list.status, 'closed')
  },
  async 'a subscription receives changes in order, and resumes after its last cursor'(place) {
    const { client, tasks } = await person(place)
    const seen: string[] = []
    const cursors: string[] = []
    let look = () => {}
    const wait = (count: number) =>
      new Promise<void>((resolve) => {
        look = () => seen.length >= count && resolve()
        look()
      })
    const onEvent = ({ type, cursor, data }: { type: string; cursor: string; data: { id: number } }) => {
      seen.push(`${type} ${data.id}`)
      cursors.push(cursor)
      look()
    }
    let stop = () => {}
    await new Promise<unknown>((onSubscribed) => {
      stop = client.subscribe('tasks', { filter: '!done', onEvent, onSubscribed })
    })
    const { id } = await tasks.create({ title: 'Milk' })
    await tasks.update(id, { rank: 1 })
    await wait(2)
    stop()
    await tasks.update(id, { done: true })
    client.subscribe('tasks', { filter: '!done', after: cursors.at(-1) ?? '', onEvent })
    await wait(3)
    equal(seen, [`created ${id}`, `updated ${id}`, `left ${id}`])
    client.close()
  },
  async 'a filter that is refused ends a subscription and a live list with its error'(place) {
    const { client, tasks } = await person(place)
    const error = await new Promise<SkepError>((onError) => {
      client.subscribe('tasks', { filter: 'nothing == 1', onEvent: () => {}, onError })
    })
    equal(error.code, 'validation_failed')
    const live = tasks.live({ filter: 'nothing == 1' })
    await until(live, () => live.status === 'error')
    equal(live.error?.code, 'validation_failed')
    client.close()
  },
  async 'a live list follows what its owner and others do, with one snapshot until something changes'(place) {
    const [ann, bob] = [await person(place), await person(place)]
    const { id: list } = await ann.lists.create({ name: 'Groceries', members: [bob.id] })
    await ann.tasks.create({ title: 'Milk', list })
    const live = bob.tasks.live({ filter: filter`list == ${list} && !done`, sort: 'title' })
    await until(live, (tasks) => tasks.length === 1)
    const snapshot = live.getSnapshot()
    check(snapshot === live.getSnapshot(), 'the snapshot is stable')
    const bread = await ann.tasks.create({ title: 'Bread', list })
    await until(live, (tasks) => titles(tasks).join() === 'Bread,Milk')
    equal(live.status, 'live')
    await bob.tasks.update(bread.id, { title: 'Rye' })
    await until(live, (tasks) => titles(tasks).join() === 'Milk,Rye')
    await ann.tasks.update(bread.id, { done: true })
    await until(live, (tasks) => titles(tasks).join() === 'Milk')
    await ann.lists.update(list, { members: [] })
    await until(live, (tasks) => tasks.length === 0)
    await ann.lists.update(list, { members: [bob.id] })
    await until(live, (tasks) => titles(tasks).join() === 'Milk')
    live.close()
    equal(live.status, 'closed')
    ann.client.close()
    bob.client.close()
  },
  async 'two live lists of one collection have filters of their own'(place) {
    const { client, tasks } = await person(place)
    const [open, done] = [tasks.live({ filter: '!done' }), tasks.live({ filter: 'done' })]
    const { id } = await tasks.create({ title: 'Milk' })
    await until(open, (records) => records.length === 1)
    await tasks.update(id, { done: true })
    await until(done, (records) => records.length === 1)
    await until(open, (records) => records.length === 0)
    client.close()
  },
  async 'a limited live list has the first records, and takes the next when one leaves'(place) {
    const { client, tasks } = await person(place)
    for (const rank of [1, 2, 3, 4]) await tasks.create({ title: `t${rank}`, rank })
    const live = tasks.live({ sort: 'rank', limit: 3 })
    const shows = (...ranks: number[]) =>
      until(live, (records) => records.map(({ rank }) => rank).join() === ranks.join())
    await shows(1, 2, 3)
    const first = live.getSnapshot()[0]
    await tasks.create({ title: 'zero', rank: 0 })
    await shows(0, 1, 2)
    await tasks.delete(first?.id ?? 0)
    await shows(0, 2, 3)
    await tasks.update(live.getSnapshot()[0]?.id ?? 0, { rank: 9 })
    await shows(2, 3, 4)
    client.close()
  },
  async 'a live list is empty after signing out, and is of whoever signs in next'(place) {
    const [ann, bob] = [await person(place), await person(place)]
    await ann.tasks.create({ title: "Ann's" })
    await bob.tasks.create({ title: "Bob's" })
    const live = ann.tasks.live()
    await until(live, (records) => records.length === 1)
    await ann.client.auth.signOut()
    await until(live, (records) => records.length === 0 && live.status === 'offline')
    await ann.client.auth.signIn(bob.account)
    await until(live, (records) => titles(records).join() === "Bob's")
    ann.client.close()
    bob.client.close()
  },
}
