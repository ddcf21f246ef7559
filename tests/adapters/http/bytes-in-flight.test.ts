import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { connect } from 'node:net'
import { batch, create, LARGE } from '../../support/item-calls.ts'
import { type Member, startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(30_000)

describe('bytes in flight', async () => {
  const skep = await startSkep()
  /** Sends and reads nothing. */
  const unread = (text: string) => {
    const { hostname, port } = new URL(skep.url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.once('connect', () => {
      socket.pause()
      socket.write(text)
    })
    return { socket, [Symbol.dispose]: () => void socket.destroy() }
  }

  const manyLarge = async (member: Member) => {
    const data = { text: 'x'.repeat(16_000) }
    const operations = Array.from({ length: 10 }, () => ({ op: 'create', title: 'x', description: LARGE, data }))
    for (let n = 0; n < 10; n++) expect((await batch(skep, member, operations)).status).toBe(200)
  }

  test('of unread responses are limited per user, do not affect others, and are freed on disconnect', async () => {
    const ann = await skep.member()
    const bob = await skep.member()
    await manyLarge(ann)
    await manyLarge(bob)
    const page = ({ token }: Member) => skep.call<{ items: unknown[] }>('GET', '/items/?size=100', { token })
    const open = unread('')
    // The system may take several pages for a client that reads nothing before it makes the server wait.
    let requests = 0
    await until(async () => {
      const id = `unread-${requests++}`
      open.socket.write(
        `GET /api/v1/items/?size=100 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${ann.token}\r\nX-Request-Id: ${id}\r\n\r\n`,
      )
      await skep.log.until(({ fields }) => fields.request_id === id)
      return (await page(ann)).status === 429
    })
    const refused = await page(ann)
    expect([refused.body, refused.headers.get('retry-after')]).toMatchObject([{ code: 'too_many_requests' }, '1'])
    expect((await page(bob)).body.items).toHaveLength(100)
    expect((await skep.call('GET', '/users/me', { token: ann.token })).status).toBe(200)
    open[Symbol.dispose]()
    await until(async () => (await page(ann)).status === 200)
  })

  test('of unfinished bodies are limited, and are freed on disconnect', async () => {
    const ann = await skep.member()
    const size = 1_000_000
    const head = [
      'POST /api/v1/items/ HTTP/1.1',
      'Host: localhost',
      `Authorization: Bearer ${ann.token}`,
      'Content-Type: application/json',
      `Content-Length: ${size}`,
    ].join('\r\n')
    const open: Disposable[] = []
    const large = () => create(skep, ann, 'x'.repeat(9_000), 'x')
    const larger = () =>
      skep.call('POST', '/items/', {
        token: ann.token,
        body: `${' '.repeat(900_000)}{"title":"x"}`,
        headers: { 'content-type': 'application/json' },
      })
    await until(async () => {
      open.push(unread(`${head}\r\n\r\n${' '.repeat(size - 1)}`))
      return (await larger()).status === 429
    })
    expect((await large()).status).toBe(201)
    for (const each of open) each[Symbol.dispose]()
    await until(async () => (await larger()).status === 201)
  })
})
