import { describe, expect, test } from 'bun:test'
import { createHostCheck, effectiveHosts } from '../../../src/adapters/http/hosts.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({ PUBLIC_URL: 'https://skep.example.com/base' })
const open = await startSkep({ ALLOWED_HOSTS: '*' })
const named = await startSkep({ ALLOWED_HOSTS: 'api.example.com, [::1]:3000' })

const ask = (url: string, host: string, path = '/health') =>
  sendRaw(url, `GET ${path} HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`)

describe('a Host header', () => {
  test.each([
    'Host: localhost\r\nHost: evil.example',
    'Host: localhost\r\nHost: localhost',
    'Host: a:99999',
    'Host: a:b',
    'Host: a/b',
    'Host: user@a',
    'Host: a b',
    'Host: [::1',
    'Host:',
  ])('that is repeated or malformed (%j) is 400 on every path', async (host) => {
    for (const path of ['/health', '/api/v1/files/1/content?link=1&expires=1&signature=x', '/nothing']) {
      const answer = await ask(open.url, host, path)
      expect(answer).toStartWith('HTTP/1.1 400')
      expect(answer).toContain('"code":"invalid_request"')
    }
    expect(open.log.entries.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('is required in every request, including HTTP/1.0', async () => {
    expect(await sendRaw(open.url, 'GET /health HTTP/1.0\r\n\r\n')).toStartWith('HTTP/1.1 400')
  })

  test.each([
    'localhost',
    'LOCALHOST:3000',
    'app.localhost:5173',
    '127.0.0.1',
    '[::1]:1',
    'skep.example.com',
    'localhost.',
  ])('of a loopback server may be %s', async (host) => {
    expect(await ask(skep.url, `Host: ${host}`)).toStartWith('HTTP/1.1 200')
  })

  test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.nip.io', '10.0.0.1', 'evillocalhost'])(
    'of a loopback server must not be %s, whose page could have been led there',
    async (host) => {
      const answer = await ask(skep.url, `Host: ${host}`)
      expect(answer).toStartWith('HTTP/1.1 421')
      expect(answer).toContain('"code":"misdirected_request"')
      expect(answer.toLowerCase()).toContain('x-content-type-options: nosniff')
      const upgrade = `Host: ${host}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==`
      expect(await ask(skep.url, upgrade, '/ws/page')).toStartWith('HTTP/1.1 421')
    },
  )

  test.each<[string, number]>([
    ['api.example.com', 200],
    ['API.example.com:8443', 200],
    ['[::1]:3000', 200],
    ['[::1]:3001', 421],
    ['localhost', 421],
    ['other.example.com', 421],
  ])('is held against ALLOWED_HOSTS: %s is answered %d', async (host, status) => {
    expect(await ask(named.url, `Host: ${host}`)).toStartWith(`HTTP/1.1 ${status}`)
  })
})

test('a trailing dot makes no difference, neither in Host nor in the accepted name', () => {
  const given = ['a.example.', 'b.example.:8443']
  const check = createHostCheck(effectiveHosts({ bound: '0.0.0.0', given, publicUrl: 'https://c.example./' }))
  const hosts = ['a.example', 'a.example.:80', 'b.example:8443', 'b.example.:8443', 'c.example.']
  for (const host of hosts) expect(check(host)).toBeNull()
  expect(check('b.example:80')).not.toBeNull()
})

test('a server bound to all addresses accepts any name', () => {
  const check = createHostCheck(effectiveHosts({ bound: '0.0.0.0', given: undefined, publicUrl: 'https://a.example' }))
  expect(check('anything.example:80')).toBeNull()
})
