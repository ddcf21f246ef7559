import { expect, test } from 'bun:test'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({ APP_NAME: 'Acme "<b>' })
const PAGES = ['verify-email', 'reset-password', 'forgot-password', 'resend-verification']

test.each(PAGES)(
  '/%s names the application, runs our own script alone and says what is missing without it',
  async (path) => {
    const { status, headers, body } = await skep.call<string>('GET', `//${path}`)
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(headers.get('content-security-policy')).toStartWith(
      "default-src 'none'; script-src 'self'; style-src 'self';",
    )
    expect(body).toContain('Acme &quot;&lt;b&gt;')
    expect(body).not.toContain('<b>')
    expect(body).toMatch(/<noscript><p class="message">This page needs JavaScript/)
    expect(body.match(/<script/g)).toHaveLength(1)
    for (const [, url = ''] of body.matchAll(/(?:src|href)="([^"]+)"/g)) {
      expect([url, (await skep.call('GET', `/${url}`)).status]).toEqual([url, 200])
    }
  },
)

test('password managers find the page to change a password, in the application if it has its own', async () => {
  const own = await startSkep({ PUBLIC_URL: 'https://api.example/base' })
  const other = await startSkep({ PUBLIC_URL: 'https://api.example/base', APP_URL: 'https://acme.example/me' })
  const locationOf = async (server: typeof own) => {
    const { status, headers } = await fetch(`${server.url}/.well-known/change-password`, { redirect: 'manual' })
    return [status, headers.get('location')]
  }
  expect(await locationOf(own)).toEqual([302, '/base/forgot-password'])
  expect(await locationOf(other)).toEqual([302, 'https://acme.example/me/forgot-password'])
})
