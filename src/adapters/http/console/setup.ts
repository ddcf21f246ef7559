import { Elysia } from 'elysia'
import type { Setup } from '../../../application/setup.ts'
import { visitorOf } from '../call.ts'
import { Email, Name, Password, settingPassword } from '../fields.ts'
import type { Kernel } from '../kernel.ts'
import { problems } from '../problems.ts'
import { body, characters } from '../schemas.ts'
import { toUserResponse, UserResponse } from '../users.ts'

const SetupToken = characters(
  { minLength: 1, maxLength: 200 },
  { description: 'The token in the link that the server printed', examples: ['mfq2k3lc.Hs1Ng8Ta3Ue5Io7Mp1Zt3q'] },
)

export const setupRoutes = (kernel: Kernel, setup: Setup) =>
  new Elysia({ prefix: '/auth', tags: ['auth'] }).use(kernel).post(
    '/setup',
    async ({ call, body: { token, ...registration }, request, set, status, addressOf }) => {
      const admin = await settingPassword(registration.password, '/password', () =>
        setup.createFirstAdmin(token, registration, visitorOf(call, addressOf(request))),
      )
      set.headers.location = `/api/v1/users/${admin.id}`
      return status(201, toUserResponse(admin))
    },
    {
      admit: { who: 'anyone', limit: 'mailed tokens', body: 'json', smallBody: true },
      body: body('FirstAdmin', { token: SetupToken, email: Email, name: Name, password: Password }),
      response: { 201: UserResponse, ...problems() },
      detail: {
        operationId: 'createFirstAdmin',
        summary: 'Create the first admin with the token that the server printed',
        description:
          'A server without an admin prints a link to its console at each start. The token in it works for 24 hours, until there is an admin.',
      },
    },
  )
