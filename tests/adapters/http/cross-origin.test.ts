import { describe, expect, test } from 'bun:test'
import { startSkep } from '../../support/skep.ts'

const preflight = (origin: string) => ({
  origin,
  'access-control-request-method': 'PATCH',
  'access-control-request-headers': 'authorization',
})

const corsHeaders = (headers: Headers) => [...headers.keys()].filter((name) => name.startsWith('access-control-'))

describe('with configured origins', async () => {
  const skep = await startSkep({ CORS_ORIGINS: 'https://app.example.com,http://localhost:5173' })

  test('a configured origin may read answers, refusals included', async () => {
    for (const path of ['//health', '/users/me', '/nothing']) {
      const { headers } = await skep.call('GET', path, { headers: { origin: 'https://app.example.com' } })
      expect(headers.get('access-control-allow-origin')).toBe('https://app.example.com')
      expect(headers.get('access-control-expose-headers')).toContain('X-Request-Id')
      expect(headers.get('vary')).toBe('Origin')
    }
  })

  test('any other origin is told nothing, but caches are told that it matters', async () => {
    for (const origin of ['https://evil.example', 'https://app.example.com.evil.example', 'app.example.com', 'null']) {
      const { headers } = await skep.call('GET', '//health', { headers: { origin } })
      expect([corsHeaders(headers), headers.get('vary')]).toEqual([[], 'Origin'])
    }
    const { headers } = await skep.call('GET', '//health')
    expect([corsHeaders(headers), headers.get('vary')]).toEqual([[], 'Origin'])
  })

  test('a preflight of a configured origin is answered without asking who calls', async () => {
    const { status, headers } = await skep.call('OPTIONS', '/users/me', { headers: preflight('http://localhost:5173') })
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-origin')).toBe('http://localhost:5173')
    expect(headers.get('access-control-allow-methods')).toContain('PATCH')
    expect(headers.get('access-control-allow-headers')).toContain('Authorization')
    expect(headers.get('access-control-max-age')).toBe('600')
    expect(headers.get('x-request-id')).not.toBeNull()
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('a preflight of another origin is told nothing', async () => {
    const { headers } = await skep.call('OPTIONS', '/users/me', { headers: preflight('https://evil.example') })
    expect(corsHeaders(headers)).toEqual([])
  })
})

test('* lets everyone read, never with credentials', async () => {
  const skep = await startSkep({ CORS_ORIGINS: '*' })
  const { headers } = await skep.call('GET', '//health', { headers: { origin: 'https://any.example' } })
  expect(headers.get('access-control-allow-origin')).toBe('*')
  expect(headers.get('access-control-allow-credentials')).toBeNull()
})

test('without configured origins nobody is told anything', async () => {
  const skep = await startSkep()
  const { headers } = await skep.call('GET', '//health', { headers: { origin: 'https://any.example' } })
  expect(corsHeaders(headers)).toEqual([])
  expect((await skep.call('OPTIONS', '/users/me', { headers: preflight('https://any.example') })).status).toBe(204)
})
