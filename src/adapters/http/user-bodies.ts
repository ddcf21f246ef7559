import { type Static, t } from 'elysia'
import { ROLES, type User } from '../../domain/user.ts'
import { PERSON } from './fields.ts'
import { choiceOf, Id, Timestamp } from './schemas.ts'
import { shownOnce } from './shown-once.ts'
import { toTimestamp } from './timestamps.ts'

export const Role = choiceOf(ROLES, { title: 'UserRole' })

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

/** As {@link toUserResponse}, for a user who is read alone: the text is cached with the user. */
export const toReadResponse = shownOnce(toUserResponse)
