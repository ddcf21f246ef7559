import { Elysia, type Static, t } from 'elysia'
import type { UserSortField } from '../../application/ports/accounts.ts'
import type { UserChanges, Users } from '../../application/users.ts'
import { ROLES, type User } from '../../domain/user.ts'
import { actorOf, callerOf, visitorOf } from './call.ts'
import { CurrentPassword, Email, Name, Password, PERSON, settingPassword } from './fields.ts'
import type { Kernel, Rule } from './kernel.ts'
import { NEWEST_FIRST, pageQuery, pageResponse, toPageRequest, toPageResponse } from './pages.ts'
import { problems } from './problems.ts'
import { body, choiceOf, hasId, Id, IdParams, NoContent, queryOf, Timestamp, textWithoutNul } from './schemas.ts'
import { toTimestamp } from './timestamps.ts'
import { TokenResponse, toResponse as toTokenResponse } from './tokens.ts'

const Role = choiceOf(ROLES, { title: 'UserRole' })

const RegistrationBody = body('UserCreate', { email: Email, name: Name, password: Password })

const ChangesBody = body(
  'UserUpdate',
  {
    name: t.Optional(Name),
    email: t.Optional(Email),
    is_active: t.Optional(t.Boolean({ description: 'For admins only', examples: [true] })),
    role: t.Optional(Role),
    current_password: t.Optional(CurrentPassword),
  },
  { examples: [{ name: PERSON.name }] },
)

const PasswordBody = body(
  'PasswordChange',
  { current_password: CurrentPassword, new_password: Password },
  { examples: [{ current_password: PERSON.password, new_password: 'another correct horse' }] },
)

const RemovalBody = body('UserDelete', { current_password: t.Optional(CurrentPassword) })

export const UserResponse = t.Object(
  {
    id: Id,
    email: t.String({ examples: [PERSON.email] }),
    name: t.String({ examples: [PERSON.name] }),
    role: Role,
    is_active: t.Boolean({ description: 'Whether the account can sign in', examples: [true] }),
    email_verified: t.Boolean({
      description: 'Whether the user has confirmed the address with the mailed link',
      examples: [true],
    }),
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { title: 'User' },
)

export const toUserResponse = (user: User): Static<typeof UserResponse> => ({
  id: user.id,
  email: user.email,
  name: user.name,
  role: user.role,
  is_active: user.isActive,
  email_verified: user.emailVerified,
  created_at: toTimestamp(user.createdAt),
  updated_at: toTimestamp(user.updatedAt),
})

const PATH = '/api/v1/users'

const created = (user: User) => ({
  status: 201,
  headers: { location: `${PATH}/${user.id}` },
  body: JSON.stringify(toUserResponse(user)),
})

const toChanges = ({ name, email, is_active, role, current_password }: Static<typeof ChangesBody>): UserChanges => ({
  ...(name === undefined ? {} : { name }),
  ...(email === undefined ? {} : { email }),
  ...(is_active === undefined ? {} : { isActive: is_active }),
  ...(role === undefined ? {} : { role }),
  ...(current_password === undefined ? {} : { currentPassword: current_password }),
})

const SORTS: readonly UserSortField[] = ['created_at', 'updated_at', 'email', 'name']

const UsersQuery = queryOf({
  ...pageQuery(SORTS),
  q: t.Optional(textWithoutNul({ maxLength: 254 }, { description: 'Part of an address or a name', examples: ['ann'] })),
})

const ADDRESS_CHANGE =
  'To change your own address, send `current_password`. The address changes once you confirm the link mailed to the new one.'

const PASSWORD_CHANGE = `This session continues, but its refresh tokens end too, because someone may have copied them. With
the header \`Prefer: return=representation\` (RFC 7240) the response is 200 with new tokens, and all older tokens end. Without
it the response is 204: the access token works until it expires, and then you sign in with the new password.`

/** Whether the client prefers a response with content (RFC 7240 section 4.2). */
const prefersRepresentation = (request: Request): boolean =>
  (request.headers.get('prefer') ?? '').split(',').some((preference) => preference.trim() === 'return=representation')

const listRoutes = (kernel: Kernel, users: Users) => {
  const registrationRule: Rule = {
    who: (actor) => users.checkSignup(actor),
    limit: 'credentials',
    body: 'json',
    smallBody: true,
    idempotent: true,
  }
  return new Elysia({ tags: ['users'] })
    .use(kernel)
    .post(
      '/',
      ({ call, body, request, withIdempotency, addressOf }) => {
        const { principal: actor } = call
        const address = addressOf(request)
        const author = actor === null ? visitorOf(call, address) : callerOf(call, address)
        return withIdempotency(
          { request, actor, route: `POST ${PATH}`, sent: body, responseOf: created },
          (idempotency) => settingPassword(body.password, '/password', () => users.register(author, body, idempotency)),
        )
      },
      {
        admit: registrationRule,
        body: RegistrationBody,
        response: { 201: UserResponse, ...problems(403) },
        detail: {
          operationId: 'registerUser',
          summary: 'Register',
          description:
            'Creates an account and mails it a link to verify its address. Anyone may register, unless the server is set to `SIGNUP=closed`: then only admins can create accounts. A taken address is refused with `email_taken`, a password that is easy to guess with `weak_password`.',
        },
      },
    )
    .get(
      '/',
      async ({ call, query, request, noteRead }) => {
        const asked = toPageRequest(query, SORTS, NEWEST_FIRST)
        const page = await users.list(actorOf(call), { ...asked, contains: query.q ?? null })
        const owners = page.items.map(({ id }) => ({ ownerId: id }))
        await noteRead(call, request, { action: 'user.read', subject: 'users', owners })
        return toPageResponse(page, asked, toUserResponse)
      },
      {
        admit: { who: 'admin' },
        query: UsersQuery,
        response: { 200: pageResponse(UserResponse), ...problems() },
        detail: {
          operationId: 'listUsers',
          summary: 'List users (admin)',
          description: 'For admins. `q` matches addresses and names that contain it.',
        },
      },
    )
}

const ownRoutes = (kernel: Kernel, users: Users) =>
  new Elysia({ tags: ['users'] })
    .use(kernel)
    .get('/me', async ({ call }) => toUserResponse(await users.get(actorOf(call), actorOf(call).userId)), {
      admit: { who: 'user' },
      response: { 200: UserResponse, ...problems(404) },
      detail: {
        operationId: 'getMe',
        summary: 'Your own account',
        description: 'The account to which the access token belongs.',
      },
    })
    .patch(
      '/me',
      async ({ call, body, request, set, addressOf, limits }) => {
        const caller = callerOf(call, addressOf(request))
        if (body.current_password !== undefined) await limits.credentials(caller.address, set.headers)
        return toUserResponse(await users.update(caller, caller.userId, toChanges(body)))
      },
      {
        admit: { who: 'user', body: 'json', smallBody: true },
        body: ChangesBody,
        response: { 200: UserResponse, ...problems(403, 404, 409) },
        detail: { operationId: 'updateMe', summary: 'Change your own account', description: ADDRESS_CHANGE },
      },
    )
    .delete(
      '/me',
      async ({ call, body, request, set, status, addressOf, limits }) => {
        const caller = callerOf(call, addressOf(request))
        if (body.current_password !== undefined) await limits.credentials(caller.address, set.headers)
        await users.remove(caller, caller.userId, body.current_password)
        return status(204, undefined)
      },
      {
        admit: { who: 'user', body: 'json', bodyOptional: true },
        body: RemovalBody,
        response: { 204: NoContent, ...problems(404, 409) },
        detail: {
          operationId: 'deleteMe',
          summary: 'Delete your own account and everything you own',
          description: 'Needs `current_password`.',
        },
      },
    )
    .post(
      '/me/password',
      async ({ call, body, request, set, status, addressOf }) => {
        const caller = callerOf(call, addressOf(request))
        const change = { currentPassword: body.current_password, newPassword: body.new_password }
        const renew = prefersRepresentation(request)
        const pair = await settingPassword(change.newPassword, '/new_password', () =>
          users.changePassword(caller, change, renew),
        )
        if (pair === null) return status(204, undefined)
        set.headers['preference-applied'] = 'return=representation'
        return toTokenResponse(pair)
      },
      {
        admit: { who: 'user', limit: 'credentials', body: 'json', smallBody: true },
        body: PasswordBody,
        response: { 200: TokenResponse, 204: NoContent, ...problems(404) },
        detail: {
          operationId: 'changePassword',
          summary: 'Change your password; every other session ends',
          description: PASSWORD_CHANGE,
        },
      },
    )

const singleRoutes = (kernel: Kernel, users: Users) => {
  const changeRule: Rule = {
    who: 'user',
    body: 'json',
    smallBody: true,
    checkAccess: (actor, params) => hasId(params) && users.get(actor, Number(params.id)),
  }
  const removalRule: Rule = { ...changeRule, bodyOptional: true }
  return new Elysia({ tags: ['users'] })
    .use(kernel)
    .get(
      '/:id',
      async ({ call, params, request, noteRead }) => {
        const user = await users.get(actorOf(call), Number(params.id))
        await noteRead(call, request, {
          action: 'user.read',
          subject: `users/${user.id}`,
          owners: [{ ownerId: user.id }],
        })
        return toUserResponse(user)
      },
      {
        admit: { who: 'user' },
        params: IdParams,
        response: { 200: UserResponse, ...problems() },
        detail: {
          operationId: 'getUser',
          summary: 'Read your own account or, as an admin, any account',
          description: 'Only admins can read the accounts of others; for anyone else the response is 404.',
        },
      },
    )
    .patch(
      '/:id',
      async ({ call, params, body, request, set, addressOf, limits }) => {
        const caller = callerOf(call, addressOf(request))
        if (body.current_password !== undefined) await limits.credentials(caller.address, set.headers)
        return toUserResponse(await users.update(caller, Number(params.id), toChanges(body)))
      },
      {
        admit: changeRule,
        params: IdParams,
        body: ChangesBody,
        response: { 200: UserResponse, ...problems(403, 409) },
        detail: {
          operationId: 'updateUser',
          summary: 'Change your own account or, as an admin, any account',
          description: ADDRESS_CHANGE,
        },
      },
    )
    .delete(
      '/:id',
      async ({ call, params, body, request, set, status, addressOf, limits }) => {
        const caller = callerOf(call, addressOf(request))
        if (body.current_password !== undefined) await limits.credentials(caller.address, set.headers)
        await users.remove(caller, Number(params.id), body.current_password)
        return status(204, undefined)
      },
      {
        admit: removalRule,
        params: IdParams,
        body: RemovalBody,
        response: { 204: NoContent, ...problems(409) },
        detail: {
          operationId: 'deleteUser',
          summary: 'Delete your own account or, as an admin, any account',
          description: 'To delete your own account, send `current_password`.',
        },
      },
    )
}

export const userRoutes = (kernel: Kernel, users: Users) =>
  new Elysia({ prefix: '/users' })
    .use(listRoutes(kernel, users))
    .use(ownRoutes(kernel, users))
    .use(singleRoutes(kernel, users))
