import { Elysia, t } from 'elysia'
import type { Users } from '../../application/users.ts'
import { notFound } from '../../domain/errors.ts'
import { actorOf } from './call.ts'
import { Email, PERSON } from './fields.ts'
import type { Kernel } from './kernel.ts'
import { problems } from './problems.ts'
import { body, Id } from './schemas.ts'

const LookupBody = body('UserLookup', { email: Email })

const UserReference = t.Object(
  { id: Id, name: t.String({ examples: [PERSON.name] }) },
  { title: 'UserReference', description: 'The details of a user that other users may see' },
)

/** `POST /users/lookup`: the user who has exactly this address. */
export const userLookupRoutes = (kernel: Kernel, users: Users, userLookup: 'exact' | 'off') =>
  new Elysia({ prefix: '/users', tags: ['users'] }).use(kernel).post(
    '/lookup',
    async ({ call, body, request, set, limits, addressOf }) => {
      const actor = actorOf(call)
      await limits.lookUps(actor, addressOf(request), set.headers)
      if (userLookup === 'off') throw notFound('User')
      return users.lookup(actor, body.email)
    },
    {
      admit: { who: 'user', body: 'json', smallBody: true },
      body: LookupBody,
      response: { 200: UserReference, ...problems(404) },
      detail: {
        operationId: 'lookUpUser',
        summary: 'Find a user by their exact address',
        description:
          'For adding someone to a record. Finds only active users who have verified this address, and has a limit of its own of 10 a minute. The server can be set not to answer (`USER_LOOKUP=off`): then the response is 404.',
      },
    },
  )
