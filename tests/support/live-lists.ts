import { type LiveMember, startLiveCollections } from './live-collections.ts'
import type { Frame, TestSocket } from './socket.ts'

export const ANYONE = { create: 'auth != null', update: 'auth != null', delete: 'auth != null' }
const MEMBERS = 'auth.id == record.list.owner_id || auth.id in record.list.members'
const members = { type: 'array', items: { type: 'integer' }, 'x-ref': 'users', default: [] }

/** A server of sockets for an admin and three others, with collections of lists and of tasks for each test. */
export const startLiveLists = async () => {
  const skep = await startLiveCollections()
  const admin = await skep.member('admin')
  const ann = await skep.member()
  const bob = await skep.member()
  const carl = await skep.member()

  let count = 0

  /** Collections of lists and tasks for one test. */
  const model = async ({ onDelete = 'cascade', read = MEMBERS as string | null } = {}) => {
    const run = ++count
    const [lists, tasks, task] = [`lists${run}`, `tasks${run}`, `task${run}`]
    await skep.define({
      name: lists,
      singular: `list${run}`,
      schema: { type: 'object', properties: { name: { type: 'string', maxLength: 100 }, members } },
      rules: { read: 'true', ...ANYONE },
    })
    const definition = (rule: string | null) => ({
      name: tasks,
      singular: task,
      schema: {
        type: 'object',
        required: ['title'],
        properties: {
          title: { type: 'string', maxLength: 100 },
          done: { type: 'boolean', default: false },
          list: { type: ['integer', 'null'], 'x-ref': lists, 'x-on-delete': onDelete },
        },
      },
      rules: { read: rule, ...ANYONE },
    })
    await skep.define(definition(read))
    return {
      lists,
      tasks,
      task,
      setRule: (rule: string | null) => skep.define(definition(rule)),
      list: (shared: readonly LiveMember[] = []) => ann.create(lists, { members: shared.map(({ id }) => id) }),
    }
  }

  return { skep, admin, ann, bob, carl, model }
}

/** A socket that is subscribed to a topic. */
export const subscribe = async (
  member: LiveMember,
  topic: string,
  options: { filter?: string; after?: string } = {},
) => {
  const socket = await member.open()
  const answer = socket.until(() => socket.frames.some(({ ref }) => ref === 'this'))
  socket.send({ type: 'subscribe', topic, ref: 'this', ...options })
  await answer
  return socket
}

/** What came, once the socket has had everything. */
export const received = async (socket: TestSocket, last: Partial<Frame>): Promise<readonly string[]> => {
  await socket.sees(last)
  return socket.events().map(({ event, data }) => `${event?.split('.')[1]} ${data?.id}`)
}

/** The cursor of the newest frame that has one. */
export const cursorOf = (socket: TestSocket): string =>
  socket.frames.findLast(({ cursor }) => cursor !== undefined)?.cursor ?? ''
