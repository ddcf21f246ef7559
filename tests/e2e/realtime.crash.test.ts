import { expect, test } from 'bun:test'
import { folder, type Server, serve } from '../support/process.ts'
import { type Frame, openSocket, positionOf } from '../support/socket.ts'

const CHANGES_COUNT = 1_000
const WRITERS_COUNT = 8
const PASSWORD = 'correct horse'
const EMAIL = 'ann@example.com'

const signIn = async (skep: Server) => {
  const form = { username: EMAIL, password: PASSWORD }
  return (await skep.call<{ access_token: string }>('POST', '/auth/token', { form })).body.access_token
}

/** Makes items until `enough` or until nobody answers; the ids of those that were answered 201. */
const write = async (skep: Server, token: string, enough: () => boolean): Promise<number[]> => {
  const answered: number[] = []
  const writer = async () => {
    while (!enough()) {
      try {
        const { status, body } = await skep.call<{ id: number }>('POST', '/items/', { token, json: { title: 'x' } })
        if (status !== 201) throw new Error(`answered ${status}`)
        answered.push(body.id)
      } catch (error) {
        // The server is gone, as it should be.
        if (error instanceof Error && error.message.startsWith('answered')) throw error
        return
      }
    }
  }
  await Promise.all(Array.from({ length: WRITERS_COUNT }, writer))
  return answered
}

const cursorsOf = (frames: readonly Frame[]) => frames.map(({ cursor }) => positionOf(cursor))
/** Without what tells in which life they were heard. */
const numbered = (frames: readonly Frame[]) => frames.map((frame) => ({ ...frame, cursor: positionOf(frame.cursor) }))

test('kill -9 during 1000 changes: a client that resumes by cursor gets each committed change once, in order', async () => {
  using home = folder()
  const seen: Frame[] = []
  const answered: number[] = []
  {
    await using skep = await serve({ cwd: home.path })
    await skep.call('POST', '/users/', { json: { email: EMAIL, name: 'Ann', password: PASSWORD } })
    const token = await signIn(skep)
    const socket = await openSocket(skep.url, { token })
    await socket.subscribe('items', 0)
    const writing = write(skep, token, () => false)
    await socket.until(() => socket.events().length >= CHANGES_COUNT / 3)
    skep.signal('SIGKILL')
    answered.push(...(await writing))
    await socket.closed
    seen.push(...socket.events())
    expect((await skep.exit()).signal).toBe('SIGKILL')
  }

  await using again = await serve({ cwd: home.path })
  const token = await signIn(again)
  await using socket = await openSocket(again.url, { token })
  const last = seen.at(-1)?.cursor
  expect(await socket.subscribe('items', last)).toMatchObject({ gap: false })
  const already = answered.length
  let made = 0
  answered.push(...(await write(again, token, () => already + made++ >= CHANGES_COUNT)))
  const ids = () => new Set([...seen, ...socket.events()].map(({ data }) => data?.id))
  await socket.until(() => answered.every((id) => ids().has(id)))
  await socket.settled()

  const union = [...seen, ...socket.events()]
  // Every item there is, in the order of its making: what was committed and not answered, too.
  await using whole = await openSocket(again.url, { token })
  await whole.subscribe('items', 0)
  await whole.until(() => whole.events().length >= union.length)
  await whole.settled()
  expect(numbered(union)).toEqual(numbered(whole.events()))
  expect(union.length).toBeGreaterThanOrEqual(CHANGES_COUNT)
  expect(cursorsOf(union)).toEqual([...new Set(cursorsOf(union))].sort((a, b) => a - b))
  const { body } = await again.call<{ total: number }>('GET', '/items/?size=1', { token })
  expect(ids().size).toBe(body.total)
  expect(union).toHaveLength(body.total)
}, 60_000)
