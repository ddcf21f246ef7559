import { Elysia, t } from 'elysia'
import type { Accounts } from '../../application/accounts.ts'
import { actorOf } from './call.ts'
import { Email, Password, settingPassword } from './fields.ts'
import type { Kernel } from './kernel.ts'
import { problems } from './problems.ts'
import { body, characters, NoContent } from './schemas.ts'

const MailedToken = characters(
  { minLength: 1, maxLength: 200 },
  {
    description: 'From the link in the mail',
    examples: ['Hs1Ng8Ta3Ue5Io7Mp1Zt3q8Jc0m5Vw7Yb2Xd9Lk4Rf6'],
  },
)

export const accountRoutes = (kernel: Kernel, accounts: Accounts) =>
  new Elysia({ prefix: '/auth', tags: ['auth'] })
    .use(kernel)
    .post(
      '/email/verify',
      async ({ body: { token }, status }) => {
        await accounts.verifyEmail(token)
        return status(204, undefined)
      },
      {
        admit: { who: 'anyone', limit: 'mailed tokens', body: 'json', small: true },
        body: body('EmailVerification', { token: MailedToken }),
        response: { 204: NoContent, ...problems(400, 413, 415, 422, 429, 503, 507) },
        detail: {
          operationId: 'verifyEmail',
          summary: 'Prove an address with the token mailed to it',
          description:
            'Proves the address to which the token was mailed, or sets it where it is a new one. A token works once, for 24 hours.',
        },
      },
    )
    .post(
      '/email/verify/request',
      async ({ call, status }) => {
        await accounts.requestVerification(actorOf(call))
        return status(204, undefined)
      },
      {
        admit: { who: 'user', limit: 'credentials' },
        response: { 204: NoContent, ...problems(400, 401, 429, 503, 507) },
        detail: {
          operationId: 'requestEmailVerification',
          summary: 'Have the verification mailed again',
          description:
            'Mails the link again, which voids the one before. Nothing is mailed to an address that is proven.',
        },
      },
    )
    .post(
      '/password/forgot',
      async ({ body: { email }, request, addressOf }) => {
        await accounts.forgotPassword(email, addressOf(request))
        return new Response(null, { status: 202 })
      },
      {
        admit: { who: 'anyone', limit: 'credentials', body: 'json', small: true },
        body: body('PasswordForgotten', { email: Email }),
        response: {
          202: t.Void({ description: 'Accepted, whether there is such an account or not' }),
          ...problems(400, 413, 415, 422, 429, 503, 507),
        },
        detail: {
          operationId: 'forgotPassword',
          summary: 'Have a link mailed for a new password; the answer is the same for an unknown address',
          description:
            'Mails a link that sets a new password to the address, if it has an account; it works once, for 30 minutes.',
        },
      },
    )
    .post(
      '/password/reset',
      async ({ body: { token, password }, request, status, addressOf, limits }) => {
        const address = addressOf(request)
        await settingPassword(password, '/password', () => accounts.resetPassword(token, password, address))
        // Who proved to be the owner may sign in now, however often they had guessed before.
        await limits.resetCredentials(address)
        return status(204, undefined)
      },
      {
        admit: { who: 'anyone', limit: 'mailed tokens', body: 'json', small: true },
        body: body('PasswordReset', { token: MailedToken, password: Password }),
        response: { 204: NoContent, ...problems(400, 413, 415, 422, 429, 503, 507) },
        detail: {
          operationId: 'resetPassword',
          summary: 'Set a new password with a mailed token; every session ends',
          description:
            'Sets the password of the account to which the token was mailed. Every session and every signed link of the account ends.',
        },
      },
    )
