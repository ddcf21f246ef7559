import { Elysia, t } from 'elysia'
import type { Accounts } from '../../application/accounts.ts'
import { callerOf, visitorOf } from './call.ts'
import { Email, Password, settingPassword } from './fields.ts'
import type { Kernel } from './kernel.ts'
import { problems } from './problems.ts'
import { body, characters, NoContent } from './schemas.ts'

const MailedToken = characters(
  { minLength: 1, maxLength: 200 },
  {
    description: 'The token in the mailed link',
    examples: ['Hs1Ng8Ta3Ue5Io7Mp1Zt3q8Jc0m5Vw7Yb2Xd9Lk4Rf6'],
  },
)

export const accountRoutes = (kernel: Kernel, accounts: Accounts) =>
  new Elysia({ prefix: '/auth', tags: ['auth'] })
    .use(kernel)
    .post(
      '/email/verify',
      async ({ call, body: { token }, request, status, addressOf }) => {
        await accounts.verifyEmail(token, visitorOf(call, addressOf(request)))
        return status(204, undefined)
      },
      {
        admit: { who: 'anyone', limit: 'mailed tokens', body: 'json', smallBody: true },
        body: body('EmailVerification', { token: MailedToken }),
        response: { 204: NoContent, ...problems() },
        detail: {
          operationId: 'verifyEmail',
          summary: 'Verify an address with the token mailed to it',
          description:
            'Verifies the address to which the token was mailed. If it is a new address, it becomes the address of the account. A token works once and expires after 24 hours.',
        },
      },
    )
    .post(
      '/email/verify/request',
      async ({ call, request, status, addressOf }) => {
        await accounts.requestVerification(callerOf(call, addressOf(request)))
        return status(204, undefined)
      },
      {
        admit: { who: 'user', limit: 'credentials' },
        response: { 204: NoContent, ...problems() },
        detail: {
          operationId: 'requestEmailVerification',
          summary: 'Send the verification mail again',
          description:
            'Mails a new link, which invalidates the previous one. Nothing is mailed if the address is already verified.',
        },
      },
    )
    .post(
      '/password/forgot',
      async ({ call, body: { email }, request, addressOf }) => {
        await accounts.forgotPassword(email, visitorOf(call, addressOf(request)))
        return new Response(null, { status: 202 })
      },
      {
        admit: { who: 'anyone', limit: 'credentials', body: 'json', smallBody: true },
        body: body('PasswordForgotten', { email: Email }),
        response: {
          202: t.Void({ description: 'Accepted, whether or not the account exists' }),
          ...problems(),
        },
        detail: {
          operationId: 'forgotPassword',
          summary: 'Send a password reset mail; the response is the same for an unknown address',
          description:
            'If the address has an account, mails it a link to set a new password. The link works once and expires after 30 minutes.',
        },
      },
    )
    .post(
      '/password/reset',
      async ({ call, body: { token, password }, request, status, addressOf, limits }) => {
        const address = addressOf(request)
        const visitor = visitorOf(call, address)
        await settingPassword(password, '/password', () => accounts.resetPassword(token, password, visitor))
        // The caller has proven to be the owner, so earlier failed guesses no longer block the sign-in.
        await limits.resetCredentials(address)
        return status(204, undefined)
      },
      {
        admit: { who: 'anyone', limit: 'mailed tokens', body: 'json', smallBody: true },
        body: body('PasswordReset', { token: MailedToken, password: Password }),
        response: { 204: NoContent, ...problems() },
        detail: {
          operationId: 'resetPassword',
          summary: 'Set a new password with a mailed token; every session ends',
          description:
            'Sets the password of the account to which the token was mailed. Ends every session and every signed link of the account.',
        },
      },
    )
