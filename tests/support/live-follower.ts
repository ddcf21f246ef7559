import type { LiveMember } from './live-collections.ts'
import type { Frame, TestSocket } from './socket.ts'

const versionOf = (record: object | undefined): number =>
  record !== undefined && 'version' in record ? Number(record.version) : 0

/** A client that keeps a list by the events that it receives. It does one thing after another. */
export const createFollower = (member: LiveMember, topic: string, filter: string | undefined) => {
  let list: ReadonlyMap<number, object> = new Map()
  let cursor: string | undefined
  let socket: TestSocket | null = null
  let takenCount = 0
  let work: Promise<unknown> = Promise.resolve()

  const inTurn = <T>(next: () => Promise<T>): Promise<T> => {
    const mine = work.then(next)
    work = mine.catch(() => {})
    return mine
  }
  const read = async () => {
    list = await member.list(topic, filter ?? null)
  }
  const apply = async ({ type, event = '', gap, data, cursor: at }: Frame): Promise<void> => {
    if (type === 'subscribed' && gap === true) await read()
    if (type === 'event' && data !== undefined) {
      const others = [...list].filter(([id]) => id !== data.id)
      const isGone = /\.(left|deleted)$/.test(event)
      // What was listed after a gap may be newer than the events that follow it.
      const isOlder = !isGone && versionOf(list.get(data.id)) > versionOf(data)
      if (!isOlder) list = new Map(isGone ? others : [...others, [data.id, data]])
    }
    cursor = at ?? cursor
  }
  /** Takes some of the frames that have come. */
  const take = async (most = Number.POSITIVE_INFINITY): Promise<void> => {
    for (let count = 0; count < most; count++) {
      const frame = socket?.frames[takenCount]
      if (frame === undefined) return
      takenCount++
      if (frame.topic === topic) await apply(frame)
    }
  }

  return {
    connect: () =>
      inTurn(async () => {
        if (socket !== null) return
        socket = await member.open()
        const from = cursor === undefined ? {} : { after: cursor }
        socket.send({ type: 'subscribe', topic, ref: 'first', ...from, ...(filter && { filter }) })
        const frame = await socket.sees({ ref: 'first' })
        if (frame.type !== 'subscribed') throw new Error(JSON.stringify(frame))
        takenCount = socket.frames.indexOf(frame)
        if (cursor === undefined) await read()
      }),
    /** Leaves with some of what has come unread. */
    drop: (takenBefore: number) =>
      inTurn(async () => {
        await take(takenBefore)
        await socket?.[Symbol.asyncDispose]()
        socket = null
      }),
    /** What the client has, and what it should have; null if that is the same. */
    difference: () =>
      inTurn(async () => {
        await take()
        const toTexts = (records: ReadonlyMap<number, object>) =>
          [...records].sort(([one], [other]) => one - other).map(([, record]) => JSON.stringify(record))
        const [has, should] = [toTexts(list), toTexts(await member.list(topic, filter ?? null))]
        if (JSON.stringify(has) === JSON.stringify(should)) return null
        const closed = await Promise.race([socket?.closed, Promise.resolve(null)])
        return { member: member.id, topic, filter, has, should, closed, frames: socket?.frames.slice(-20) }
      }),
    /** Resolves when a frame has come that the client has not taken; with false if its socket closes instead. */
    hasMore: async (): Promise<boolean> => {
      if (socket === null) return false
      const { frames, until } = socket
      return until(() => frames.length > takenCount).then(
        () => true,
        () => false,
      )
    },
  }
}

export type Follower = ReturnType<typeof createFollower>
