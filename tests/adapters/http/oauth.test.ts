import { describe, expect, test } from 'bun:test'
import * as oauth from 'oauth4webapi'
import { createMailbox } from '../../support/mail.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({}, { mailer: createMailbox() })

const server: oauth.AuthorizationServer = {
  issuer: skep.url,
  token_endpoint: `${skep.url}/api/v1/auth/token`,
  revocation_endpoint: `${skep.url}/api/v1/auth/revoke`,
}
const client: oauth.Client = { client_id: 'any' }
// Plain HTTP is fine on loopback, where these tests run.
const options = { [oauth.allowInsecureRequests]: true }

const signIn = async (username: string, password: string) => {
  const form = new URLSearchParams({ username, password })
  const response = await oauth.genericTokenEndpointRequest(server, client, oauth.None(), 'password', form, options)
  return oauth.processGenericTokenEndpointResponse(server, client, response)
}

const refresh = async (token: string) => {
  const response = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, options)
  return oauth.processRefreshTokenResponse(server, client, response)
}

const me = (token: string) =>
  oauth.protectedResourceRequest(token, 'GET', new URL(`${skep.url}/api/v1/users/me`), undefined, undefined, options)

const refreshTokenOf = ({ refresh_token }: oauth.TokenEndpointResponse): string => {
  if (refresh_token === undefined) throw new Error('no refresh token')
  return refresh_token
}

describe('a client that follows the RFCs', () => {
  test('discovers the endpoints to sign in and revoke from the server’s URL (RFC 8414)', async () => {
    const issuer = new URL(skep.url)
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
    expect(response.headers.get('content-type')).toBe('application/json')
    const found = await oauth.processDiscoveryResponse(issuer, response)
    expect(found).toMatchObject(server)
    const ann = await skep.member()
    const form = new URLSearchParams({ username: ann.email, password: ann.password })
    const answer = await oauth.genericTokenEndpointRequest(found, client, oauth.None(), 'password', form, options)
    expect(answer.status).toBe(200)
    expect(found.grant_types_supported).toEqual(['password', 'refresh_token'])
    expect(found.token_endpoint_auth_methods_supported).toEqual(['none'])
  })

  test('is sent to PUBLIC_URL, whatever Host it uses', async () => {
    const other = await startSkep({ PUBLIC_URL: 'https://api.example.com' }, { mailer: createMailbox() })
    const headers = { host: 'localhost' }
    const { body } = await other.call('GET', '//.well-known/oauth-authorization-server', { headers })
    expect(body).toMatchObject({
      issuer: 'https://api.example.com',
      token_endpoint: 'https://api.example.com/api/v1/auth/token',
    })
  })

  test.each(['', '/sub', '/sub/path/', '/a:b/~c'])(
    'finds the endpoints of an issuer with the path %j',
    async (path) => {
      const other = await startSkep({ PUBLIC_URL: `https://api.example.com${path}` }, { mailer: createMailbox() })
      const issuer = new URL(`https://api.example.com${path.replace(/\/$/, '')}`)
      // The proxy sends requests to the server without changing their path.
      const forward = (url: string) => {
        const at = new URL(url)
        at.protocol = 'http:'
        at.host = new URL(other.url).host
        return fetch(at)
      }
      const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', [oauth.customFetch]: forward })
      const found = await oauth.processDiscoveryResponse(issuer, response)
      expect(found.token_endpoint).toBe(`${found.issuer}/api/v1/auth/token`)
      expect((await other.call('GET', '//.well-known/oauth-authorization-server/other')).status).toBe(404)
      expect((await other.call('POST', `/${new URL(response.url).pathname}`)).status).toBe(405)
    },
  )

  test('signs in by the password grant and reads a protected resource', async () => {
    const ann = await skep.member()
    const tokens = await signIn(ann.email, ann.password)
    expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 900 })
    expect((await me(tokens.access_token)).status).toBe(200)
  })

  test('refreshes, and the session of the old pair continues', async () => {
    const ann = await skep.member()
    const first = await signIn(ann.email, ann.password)
    const second = await refresh(refreshTokenOf(first))
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect((await me(second.access_token)).status).toBe(200)
  })

  test('revokes, and its tokens are refused with a challenge it understands', async () => {
    const ann = await skep.member()
    const tokens = await signIn(ann.email, ann.password)
    const revoked = await oauth.revocationRequest(server, client, oauth.None(), refreshTokenOf(tokens), options)
    expect(await oauth.processRevocationResponse(revoked)).toBeUndefined()
    const refusal = await me(tokens.access_token).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(oauth.WWWAuthenticateChallengeError)
    expect(refusal).toMatchObject({ cause: [{ scheme: 'bearer', parameters: { error: 'invalid_token' } }] })
  })

  test('receives the reason of a refusal as an OAuth error', async () => {
    const ann = await skep.member()
    const wrong = await signIn(ann.email, 'wrong').catch((error: unknown) => error)
    expect(wrong).toBeInstanceOf(oauth.ResponseBodyError)
    expect(wrong).toMatchObject({
      error: 'invalid_grant',
      error_description: 'Incorrect email or password',
      status: 400,
    })
    const spent = await refresh('not a token').catch((error: unknown) => error)
    expect(spent).toMatchObject({ error: 'invalid_grant' })
  })
})
