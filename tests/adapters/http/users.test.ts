import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { type Member, signIn, startSkep } from '../../support/skep.ts'

const mailbox = createMailbox()
const skep = await startSkep({}, { mailer: mailbox })

interface UserBody {
  readonly id: number
  readonly email: string
  readonly name: string
  readonly role: string
}

interface PageBody {
  readonly items: readonly UserBody[]
  readonly total: number | null
  readonly page: number | null
  readonly pages: number | null
  readonly next_cursor: string | null
}

const json = (email: string, changes: object = {}) => ({ email, name: 'Ann', password: 'correct horse', ...changes })

/** Admins are made by the operator; this one is promoted by the first, whom `promote` makes in the database. */
const promote = async (member: Member, by: Member) => {
  const { status } = await skep.call('PATCH', `/users/${member.id}`, { token: by.token, json: { role: 'admin' } })
  if (status !== 200) throw new Error(`promoting answered ${status}`)
  return member
}

const root = await createFirstAdmin(skep)

describe('registering', () => {
  test('answers 201 with the user and its Location', async () => {
    const { status, headers, body } = await skep.call<UserBody>('POST', '/users/', { json: json(' New@Example.COM ') })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/api/v1/users/${body.id}`)
    expect(body).toMatchObject({
      email: 'new@example.com',
      name: 'Ann',
      role: 'user',
      is_active: true,
      email_verified: false,
    })
    expect(Object.keys(body).sort()).toEqual([
      'created_at',
      'email',
      'email_verified',
      'id',
      'is_active',
      'name',
      'role',
      'updated_at',
    ])
  })

  test('gives times in RFC 3339, UTC, with milliseconds', async () => {
    const { body } = await skep.call('POST', '/users/', { json: json('times@example.com') })
    expect(body.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  test('an address that is taken, in any case, is 400 email_taken', async () => {
    await skep.call('POST', '/users/', { json: json('taken@example.com') })
    const { status, body } = await skep.call('POST', '/users/', { json: json('TAKEN@example.com') })
    expect([status, body.code, body.detail]).toEqual([400, 'email_taken', 'Email already registered'])
  })

  test('twenty concurrent requests with one address create one account', async () => {
    const race = Array.from({ length: 20 }, () => skep.call('POST', '/users/', { json: json('race@example.com') }))
    const statuses = (await Promise.all(race)).map(({ status }) => status).sort()
    expect(statuses).toEqual([201, ...Array<number>(19).fill(400)])
  })

  test.each(['role', 'is_admin', 'is_active', 'email_verified', 'id'])('%s cannot be chosen', async (field) => {
    const { status } = await skep.call('POST', '/users/', { json: json('chooser@example.com', { [field]: 'admin' }) })
    expect(status).toBe(422)
  })

  test('closed sign-up is 403 for everyone except admins, whatever the body', async () => {
    const box = createMailbox()
    const closed = await startSkep({ SIGNUP: 'closed' }, { mailer: box })
    const admin = await createFirstAdmin(closed)
    const anonymous = await closed.call('POST', '/users/', { body: 'not even json' })
    expect([anonymous.status, anonymous.body.code]).toEqual([403, 'signup_closed'])
    const byAdmin = await closed.call('POST', '/users/', { token: admin.token, json: json('made@example.com') })
    expect(byAdmin.status).toBe(201)
    const made = await signIn(closed.call, { id: 0, email: 'made@example.com', password: 'correct horse' })
    expect((await closed.call('POST', '/users/', { token: made.token, json: json('x@example.com') })).status).toBe(403)
  })
})

describe('reading', () => {
  test('returns one’s own account by id and as me; others are 404', async () => {
    const ann = await skep.member()
    const bob = await skep.member()
    expect((await skep.call('GET', '/users/me', { token: ann.token })).body.email).toBe(ann.email)
    expect((await skep.call('GET', `/users/${ann.id}`, { token: ann.token })).body.id).toBe(ann.id)
    const other = await skep.call('GET', `/users/${bob.id}`, { token: ann.token })
    const nobody = await skep.call('GET', '/users/999999', { token: ann.token })
    expect([other.status, nobody.status]).toEqual([404, 404])
    expect({ ...other.body, request_id: '' }).toEqual({ ...nobody.body, request_id: '' })
  })

  test('an admin reads anyone', async () => {
    const ann = await skep.member()
    expect((await skep.call('GET', `/users/${ann.id}`, { token: root.token })).body.email).toBe(ann.email)
  })

  test('no response contains a password or its hash', async () => {
    const { body } = await skep.call('GET', '/users/me', { token: root.token })
    expect(JSON.stringify(body)).not.toMatch(/argon2|password/)
  })
})

describe('listing', async () => {
  const listed = await startSkep({}, { mailer: createMailbox() })
  const admin = await createFirstAdmin(listed)
  for (const name of ['Cid', 'Ann', 'Bob', 'A%b']) {
    await listed.call('POST', '/users/', {
      json: { ...json(`${name.replace('%', '')}x@example.com`.toLowerCase()), name },
    })
  }
  const list = (query: string) => listed.call<PageBody>('GET', `/users/${query}`, { token: admin.token })
  const names = ({ items }: PageBody) => items.map(({ name }) => name)

  test('is for admins', async () => {
    const ann = await skep.member()
    expect((await skep.call('GET', '/users/', { token: ann.token })).status).toBe(403)
    expect((await skep.call('GET', '/users/')).status).toBe(401)
  })

  test('pages by number, newest first, with a total', async () => {
    const { body } = await list('?size=2&page=2')
    expect(body).toMatchObject({ total: 5, page: 2, size: 2, pages: 3 })
    expect(names(body)).toEqual(['Ann', 'Cid'])
    expect((await list('?size=2&page=9')).body).toMatchObject({ items: [], total: 5, page: 9, next_cursor: null })
  })

  test('sorts by a column, in either direction', async () => {
    expect(names((await list('?sort=name')).body)).toEqual(['A%b', 'Admin', 'Ann', 'Bob', 'Cid'])
    expect(names((await list('?sort=-name')).body)).toEqual(['Cid', 'Bob', 'Ann', 'Admin', 'A%b'])
  })

  test('finds a part of a name or an address, taken literally', async () => {
    expect(names((await list('?q=AN')).body)).toEqual(['Ann'])
    expect(names((await list('?q=bobx@')).body)).toEqual(['Bob'])
    expect(names((await list('?q=%25')).body)).toEqual(['A%b'])
    expect(names((await list('?q=_')).body)).toEqual([])
  })

  test('pages by cursor, without a total, to the end', async () => {
    const seen: string[] = []
    let { body } = await list('?size=2&sort=name')
    for (;;) {
      seen.push(...names(body))
      if (body.next_cursor === null) break
      body = (await list(`?size=2&cursor=${body.next_cursor}`)).body
      expect(body).toMatchObject({ total: null, page: null, pages: null })
    }
    expect(seen).toEqual(['A%b', 'Admin', 'Ann', 'Bob', 'Cid'])
  })

  test.each([
    '?size=0',
    '?size=101',
    '?size=1e1',
    '?page=0',
    '?page=0x1',
    '?sort=password_hash',
    '?cursor=nonsense',
    '?sort=',
  ])('refuses %s', async (query) => {
    expect((await list(query)).status).toBe(422)
  })

  test('refuses a cursor of another sort, or a modified one', async () => {
    const { next_cursor } = (await list('?size=1&sort=name')).body
    const refused = await list(`?sort=-name&cursor=${next_cursor}`)
    expect([refused.status, (refused.body as unknown as { code: string }).code]).toEqual([422, 'invalid_cursor'])
    const forged = Buffer.from('["password_hash","a",1]').toString('base64url')
    expect((await list(`?cursor=${forged}`)).status).toBe(422)
  })
})

describe('changing an account', () => {
  test('changes one’s own name', async () => {
    const ann = await skep.member()
    const { status, body } = await skep.call('PATCH', '/users/me', { token: ann.token, json: { name: '  Anna ' } })
    expect([status, body.name]).toEqual([200, 'Anna'])
    expect((await skep.call('GET', '/users/me', { token: ann.token })).body.name).toBe('Anna')
  })

  test.each([{ role: 'admin' }, { is_active: true }, { role: 'user', name: 'x' }])(
    'an ordinary user cannot send %p',
    async (changes) => {
      const ann = await skep.member()
      const { status, body } = await skep.call('PATCH', '/users/me', { token: ann.token, json: changes })
      expect([status, body.code]).toEqual([403, 'forbidden'])
    },
  )

  test('of someone else is 404 for an ordinary user', async () => {
    const [ann, bob] = [await skep.member(), await skep.member()]
    expect((await skep.call('PATCH', `/users/${bob.id}`, { token: ann.token, json: { name: 'x' } })).status).toBe(404)
  })

  test('an admin changes name, address, role and activity of anyone', async () => {
    const ann = await skep.member()
    await mailbox.next(ann.email)
    const changes = { name: 'A', email: `moved.${ann.email}`, role: 'admin', is_active: false }
    const { status, body } = await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json: changes })
    expect(status).toBe(200)
    expect(body).toMatchObject({ ...changes, email_verified: false })
    expect((await mailbox.next(ann.email)).text).toContain(`moved.${ann.email}`)
  })

  test('an address that another has is 400 email_taken', async () => {
    const [ann, bob] = [await skep.member(), await skep.member()]
    const { body } = await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json: { email: bob.email } })
    expect(body.code).toBe('email_taken')
  })

  test('a deactivated account is 400 inactive_user on the very next request, and signs in anew when reactivated', async () => {
    const ann = await skep.member()
    await skep.call('GET', '/users/me', { token: ann.token })
    await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json: { is_active: false } })
    const refused = await skep.call('GET', '/users/me', { token: ann.token })
    expect([refused.status, refused.body.code]).toEqual([400, 'inactive_user'])
    await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json: { is_active: true } })
    expect((await signIn(skep.call, ann)).token).toBeString()
  })

  test('a new role counts on the very next request', async () => {
    const ann = await skep.member()
    await skep.call('GET', '/users/', { token: ann.token })
    await promote(ann, root)
    expect((await skep.call('GET', '/users/', { token: ann.token })).status).toBe(200)
    await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json: { role: 'user' } })
    expect((await skep.call('GET', '/users/', { token: ann.token })).status).toBe(403)
  })
})
