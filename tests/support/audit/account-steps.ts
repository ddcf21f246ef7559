import { type AuditWalk, NEW_PASSWORD, PASSWORD, type Steps } from './walk.ts'

/** What people and admins do with accounts. */
export const accountSteps = ({ send, newEmail, member, admin }: AuditWalk): Steps => ({
  registerUser: {
    action: 'user.created',
    run: (id) =>
      send(id, 'POST', '/users/', {
        json: { email: newEmail(), name: 'Ann', password: PASSWORD },
      }),
  },
  updateMe: {
    action: 'user.updated',
    run: async (id) => send(id, 'PATCH', '/users/me', { token: (await member()).token, json: { name: 'Bea' } }),
  },
  updateUser: {
    action: 'user.updated',
    run: async (id) => send(id, 'PATCH', `/users/${(await member()).id}`, { token: admin(), json: { role: 'admin' } }),
  },
  deleteMe: {
    action: 'user.deleted',
    run: async (id) =>
      send(id, 'DELETE', '/users/me', { token: (await member()).token, json: { current_password: PASSWORD } }),
  },
  deleteUser: {
    action: 'user.deleted',
    run: async (id) => send(id, 'DELETE', `/users/${(await member()).id}`, { token: admin() }),
  },
  changePassword: {
    action: 'password.changed',
    run: async (id) =>
      send(id, 'POST', '/users/me/password', {
        token: (await member()).token,
        json: { current_password: PASSWORD, new_password: NEW_PASSWORD },
      }),
  },
})

/** Signing in and out, and what mails lead to. */
export const sessionSteps = ({ send, prepare, member, mailedTo, admin }: AuditWalk): Steps => ({
  createToken: {
    action: 'session.started',
    run: async (id) =>
      send(id, 'POST', '/auth/token', { form: { username: (await member()).email, password: PASSWORD } }),
  },
  revokeToken: {
    action: 'session.ended',
    run: async (id) => send(id, 'POST', '/auth/revoke', { form: { token: (await member()).refreshToken } }),
  },
  endSession: {
    action: 'session.ended',
    async run(id) {
      const { token } = await member()
      const { body } = await prepare('GET', '/auth/sessions', { token })
      const [session] = body.items as readonly { readonly id: number }[]
      return send(id, 'DELETE', `/auth/sessions/${session?.id}`, { token })
    },
  },
  endAllSessions: {
    action: 'session.ended',
    run: async (id) => send(id, 'DELETE', '/auth/sessions', { token: (await member()).token }),
  },
  endUserSessions: {
    action: 'session.ended',
    run: async (id) =>
      send(id, 'DELETE', `/users/${(await member()).id}/sessions?force_reset=true`, { token: admin() }),
  },
  verifyEmail: {
    action: 'email.verified',
    run: async (id) => send(id, 'POST', '/auth/email/verify', { json: { token: (await member()).mailed } }),
  },
  requestEmailVerification: {
    action: 'email.verification_requested',
    run: async (id) => send(id, 'POST', '/auth/email/verify/request', { token: (await member()).token }),
  },
  forgotPassword: {
    action: 'password.reset_requested',
    async run(id) {
      const { email } = await member()
      const answer = await send(id, 'POST', '/auth/password/forgot', { json: { email } })
      await mailedTo(email)
      return answer
    },
  },
  resetPassword: {
    action: 'password.reset',
    async run(id) {
      const { email } = await member()
      await prepare('POST', '/auth/password/forgot', { json: { email } })
      const token = await mailedTo(email)
      return send(id, 'POST', '/auth/password/reset', { json: { token, password: NEW_PASSWORD } })
    },
  },
})
