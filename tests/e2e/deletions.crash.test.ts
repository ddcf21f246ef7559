import { expect, test } from 'bun:test'
import { reference } from '../support/deletions.ts'
import { folder, run, type Server, serve } from '../support/process.ts'
import type { PageBody } from '../support/shopping.ts'
import { signIn } from '../support/skep.ts'

const ROOT = { id: 0, email: 'root@example.com', password: 'correct horse battery' }
const TASKS_COUNT = 1_100
/** When the server is killed, from the first marks to the removal of the records, as far as the speed of the machine allows. */
const DELAYS_MS = [50, 250, 600, 1_200, 4_000]

const LISTS = { schema: { type: 'object', properties: { title: { type: 'string', maxLength: 50 } } } }
const TASKS = { schema: { type: 'object', properties: { list: reference('lists', 'cascade') } } }

const recordsOf = (name: string) => `/collections/${name}/records/`

test('kill -9 while a list is deleted with its tasks leaves all of them or none', async () => {
  using home = folder()
  const args = ['admin', 'create', ROOT.email, '--password-stdin']
  expect((await run(args, { cwd: home.path, stdin: ROOT.password })).code).toBe(0)

  const round = async (delayMs: number) => {
    let list = 0
    {
      await using skep = await serve({ cwd: home.path })
      const { token } = await signIn(skep.call, ROOT)
      await skep.call('PUT', '/collections/lists', { token, json: LISTS })
      await skep.call('PUT', '/collections/tasks', { token, json: TASKS })
      list = Number((await skep.call('POST', recordsOf('lists'), { token, json: { title: 'x' } })).body.id)
      for (let n = 0; n < TASKS_COUNT; n += 100) {
        const operations = Array.from({ length: 100 }, () => ({ collection: 'tasks', op: 'create', list }))
        expect((await skep.call('POST', '/batch', { token, json: { operations } })).status).toBe(200)
      }
      const deleting = skep.call('DELETE', `${recordsOf('lists')}${list}`, { token }).catch(() => null)
      // In another phase each time: no event tells in which it is.
      await Bun.sleep(delayMs)
      skep.signal('SIGKILL')
      await skep.exit()
      await deleting
    }
    await using again = await serve({ cwd: home.path })
    return await stateOf(again, list)
  }

  const stateOf = async (skep: Server, list: number) => {
    const { token } = await signIn(skep.call, ROOT)
    const found = await skep.call('GET', `${recordsOf('lists')}${list}`, { token })
    const query = `?filter=${encodeURIComponent(`list == ${list}`)}&size=1`
    const { body } = await skep.call<PageBody>('GET', `${recordsOf('tasks')}${query}`, { token })
    return { status: found.status, tasksCount: body.total }
  }

  for (const delayMs of DELAYS_MS) {
    const { status, tasksCount } = await round(delayMs)
    expect([status, tasksCount]).toEqual(status === 200 ? [200, TASKS_COUNT] : [404, 0])
  }
}, 120_000)
