import { createClient, memoryStorage } from '../../client/src/index.ts'
import type { Collections } from './collections.ts'
import { check, equal, person, refusal, type Tests } from './place.ts'

/** Signing in and out, and the tokens of a session. */
export const auth: Tests = {
  async 'a session is told to listeners, kept in the storage and gone after signing out'(place) {
    const storage = memoryStorage()
    const { client, id, account } = await person(place, storage)
    const seen: (number | null)[] = []
    client.auth.onAuthChange((session) => seen.push(session?.userId ?? null))
    const again = createClient<Collections>({ ...place, storage })
    equal((await again.auth.session())?.userId, id)
    equal((await again.call<{ email: string }>('GET', '/users/me')).email, account.email)
    await client.auth.signOut()
    equal(await client.auth.session(), null)
    equal(seen, [id, null])
    equal((await refusal(client.files.list())).code, 'unauthenticated')
    client.close()
    again.close()
  },
  async 'a wrong password and a taken address have codes of their own'(place) {
    const { client, account } = await person(place)
    const error = await refusal(client.auth.signIn({ ...account, password: 'wrong horse' }))
    equal([error.code, error.status], ['invalid_grant', 400])
    check(error.requestId !== '', 'the error names the request')
    equal((await refusal(client.auth.signUp(account))).code, 'email_taken')
    client.close()
  },
  async 'refreshing replaces the tokens, and clients of one storage refresh once'(place) {
    const storage = memoryStorage()
    const { client } = await person(place, storage)
    const before = await client.auth.session()
    const others = Array.from({ length: 5 }, () => createClient<Collections>({ ...place, storage }))
    const sessions = await Promise.all(others.map((other) => other.auth.session()))
    equal(new Set(sessions.map((session) => session?.accessToken)).size, 1)
    const after = await Promise.all(others.map((other) => other.auth.refresh()))
    equal(new Set(after.map(({ accessToken }) => accessToken)).size, 1)
    check(after[0]?.accessToken !== before?.accessToken, 'there is a new token')
    for (const each of [client, ...others]) each.close()
  },
  async 'a token that the server rejects is renewed, and the call succeeds'(place) {
    const values = memoryStorage()
    const { client } = await person(place, values)
    const key = `skep:${place.url}`
    const stored = JSON.parse((await values.getItem(key)) ?? '')
    await values.setItem(key, JSON.stringify({ ...stored, access: `${stored.access}x` }))
    const other = createClient<Collections>({ ...place, storage: values })
    check((await other.call<{ id: number }>('GET', '/users/me')).id > 0, 'it is answered')
    client.close()
    other.close()
  },
}
