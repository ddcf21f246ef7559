import { type Context, Elysia, type Static, t } from 'elysia'
import type { TokenPair } from '../../application/token-issuer.ts'
import type { Tokens } from '../../application/tokens.ts'
import { AppError } from '../../domain/errors.ts'
import { visitorOf } from './call.ts'
import { PERSON } from './fields.ts'
import { integer } from './integer.ts'
import type { Kernel } from './kernel.ts'
import { ProblemResponse } from './problem-schemas.ts'
import { OAUTH_ERRORS, OAuthProblem, problems } from './problems.ts'
import { choiceOf } from './schemas.ts'

const REFRESH_TOKEN = 'p1Zt3q8Jc0m5Vw7Yb2Xd9Lk4Rf6Hs1Ng8Ta3Ue5Io7M'

export const TokenResponse = t.Object(
  {
    access_token: t.String({
      description: 'A JWT (RFC 7519)',
      examples: ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl'],
    }),
    token_type: t.Literal('bearer'),
    expires_in: integer({ minimum: 0, description: 'Seconds', examples: [900] }),
    refresh_token: t.String({
      description: 'Can be exchanged once for a new pair of tokens',
      examples: [REFRESH_TOKEN],
    }),
    refresh_expires_in: integer({ minimum: 0, description: 'Seconds', examples: [2_592_000] }),
  },
  { title: 'TokenPair', description: 'RFC 6749 section 5.1' },
)

const OAuthErrorResponse = t.Composite(
  [
    t.Object({
      error: choiceOf(OAUTH_ERRORS),
      error_description: t.String({ examples: ['Incorrect email or password'] }),
    }),
    ProblemResponse,
  ],
  {
    title: 'OAuthError',
    description: 'RFC 6749 section 5.2, with the members of a problem document',
    examples: [
      {
        error: 'invalid_grant',
        error_description: 'Incorrect email or password',
        type: 'about:blank',
        title: 'Bad Request',
        status: 400,
        detail: 'Incorrect email or password',
        code: 'invalid_grant',
        request_id: '5f0c9a52-6f0e-4c5b-9d3a-0a7c4f1e8b26',
      },
    ],
  },
)

/** Typed as the client sends it: as form text. */
const formText = (options: Parameters<typeof t.Any>[0]) => t.Unsafe<string>(t.Any(options))

/**
 * Only for the OpenAPI document: unknown parameters are ignored and faults have their own errors (RFC 6749 section
 * 3.2).
 */
const TokenForm = formText({
  title: 'TokenRequest',
  openapi: {
    type: 'object',
    properties: {
      grant_type: { type: 'string', enum: ['password', 'refresh_token'], default: 'password' },
      username: { type: 'string', description: 'The email address', examples: [PERSON.email] },
      password: { type: 'string', format: 'password', examples: [PERSON.password] },
      refresh_token: { type: 'string', description: 'Only with `grant_type=refresh_token`', examples: [REFRESH_TOKEN] },
    },
    examples: [{ grant_type: 'password', username: PERSON.email, password: PERSON.password }],
  },
})

const RevocationForm = formText({
  title: 'TokenRevocation',
  openapi: {
    type: 'object',
    properties: {
      token: {
        type: 'string',
        minLength: 1,
        description: 'An access token or a refresh token',
        examples: [REFRESH_TOKEN],
      },
      token_type_hint: { type: 'string', description: 'Accepted and not needed', examples: ['refresh_token'] },
    },
    required: ['token'],
  },
})

/** A parameter of an OAuth request. Throws `invalid_request` when it is sent twice (RFC 6749 section 3.2). */
const parameter = (form: unknown, name: string): string | null => {
  const value = (form as Readonly<Record<string, string | readonly string[]>>)[name]
  if (typeof value === 'object') {
    throw new OAuthProblem('invalid_request', `The parameter ${name} is repeated`, 'invalid_request')
  }
  return value || null
}

const required = (form: unknown, name: string): string => {
  const value = parameter(form, name)
  if (value !== null) return value
  throw new OAuthProblem('invalid_request', `The parameter ${name} is missing`, 'invalid_request')
}

const asOAuthProblem = (error: unknown): unknown => {
  const isGrant = error instanceof AppError && (error.code === 'invalid_grant' || error.code === 'inactive_user')
  return isGrant ? new OAuthProblem('invalid_grant', error.message, error.code) : error
}

export const toResponse = (pair: TokenPair): Static<typeof TokenResponse> => ({
  access_token: pair.accessToken,
  token_type: 'bearer',
  expires_in: pair.expiresIn,
  refresh_token: pair.refreshToken,
  refresh_expires_in: pair.refreshExpiresIn,
})

const noStore = (headers: Context['set']['headers']) => {
  headers['cache-control'] = 'no-store'
  headers.pragma = 'no-cache'
}

const ErrorResponses = {
  ...problems(),
  400: t.Union([OAuthErrorResponse, ProblemResponse]),
}

export const tokenRoutes = (kernel: Kernel, tokens: Tokens) =>
  new Elysia({ prefix: '/auth', tags: ['auth'] })
    .use(kernel)
    .post(
      '/token',
      async ({ call, body: form, request, set, limits, addressOf }) => {
        noStore(set.headers)
        try {
          const grant = parameter(form, 'grant_type') ?? 'password'
          const address = addressOf(request)
          if (grant === 'refresh_token') {
            return toResponse(
              await tokens.refresh({ refreshToken: required(form, 'refresh_token'), address, requestId: call.id }),
            )
          }
          if (grant !== 'password') {
            throw new OAuthProblem('unsupported_grant_type', 'Unknown grant_type', 'unsupported_grant_type')
          }
          await limits.credentials(address, set.headers)
          const origin = { device: request.headers.get('user-agent') ?? '', address }
          const credentials = { username: required(form, 'username'), password: required(form, 'password') }
          return toResponse(await tokens.signIn({ ...credentials, origin, requestId: call.id }))
        } catch (error) {
          throw asOAuthProblem(error)
        }
      },
      {
        admit: { who: 'anyone', body: 'form' },
        body: TokenForm,
        response: { 200: TokenResponse, ...ErrorResponses },
        detail: {
          operationId: 'createToken',
          summary: 'Sign in, or refresh (RFC 6749)',
          description:
            'With `grant_type=password`, or without `grant_type`, signs in with an address and a password and begins a session. With `grant_type=refresh_token`, exchanges a refresh token, which works once, for a new pair of tokens of the same session. Errors have the members of RFC 6749 in addition to those of a problem document.',
        },
      },
    )
    .post(
      '/revoke',
      async ({ call, body: form, request, set, addressOf }) => {
        noStore(set.headers)
        await tokens.revoke(required(form, 'token'), visitorOf(call, addressOf(request)))
        return new Response(null, { status: 200 })
      },
      {
        admit: { who: 'anyone', body: 'form' },
        body: RevocationForm,
        response: {
          200: t.Void({ description: 'The session of this token has ended, if there was one' }),
          ...ErrorResponses,
        },
        detail: {
          operationId: 'revokeToken',
          summary: 'Sign out (RFC 7009)',
          description:
            'Ends the session of an access token or a refresh token. The response is 200 for an unknown token too.',
        },
      },
    )
