import { expect } from 'bun:test'
import { type Answer, type Call, callAt } from '../support/call.ts'
import type { Cluster, Place } from '../support/cluster.ts'
import { until } from '../support/until.ts'

export const PASSWORD = 'correct horse battery'
const ADMIN = 'root@example.com'

/** How soon every process refuses a token whose session has ended. */
export const REVOKED_MS = 1_000

export interface Session {
  readonly access_token: string
  readonly refresh_token: string
}

/** What tests do with the processes of a cluster. There is one while a test runs. */
export const callsOf = (cluster: () => Cluster) => {
  const call = <T>(method: string, path: string, options?: Call) => cluster().call<T>(method, path, options)

  let people = 0
  const register = (email: string) => call('POST', '/users/', { json: { email, name: 'Ann', password: PASSWORD } })
  const signIn = async (email: string): Promise<Session> =>
    (await call<Session>('POST', '/auth/token', { form: { username: email, password: PASSWORD } })).body

  const member = async () => {
    const email = `member${++people}@example.com`
    await register(email)
    return { email, ...(await signIn(email)) }
  }

  /** What each process answers, asked at the same moment. */
  const everywhere = <T>(method: string, path: string, options?: Call): Promise<Answer<T>[]> =>
    Promise.all(
      cluster()
        .running()
        .map(({ url }) => callAt<T>(url, method, path, options)),
    )

  const statusesOf = (answers: readonly Answer<unknown>[]) => answers.map(({ status }) => status)

  /** Milliseconds until every process refuses the token; each of them took it a moment ago. */
  const untilRefused = async (token: string, end: () => Promise<unknown>): Promise<number> => {
    expect(statusesOf(await everywhere('GET', '/users/me', { token }))).toEqual([200, 200, 200])
    await end()
    const ended = performance.now()
    await until(async () =>
      statusesOf(await everywhere('GET', '/users/me', { token })).every((status) => status === 401),
    )
    return performance.now() - ended
  }

  const placeOf = (name: string): Place => {
    const place = cluster().places.find((one) => one.name === name)
    if (place === undefined) throw new Error(`no place ${name}`)
    return place
  }

  const urlOf = (name: string): string => placeOf(name).server?.url ?? ''

  let adminMade: Promise<void> | null = null
  const admin = async (): Promise<Session> => {
    adminMade ??= cluster().createAdmin(ADMIN, PASSWORD)
    await adminMade
    return signIn(ADMIN)
  }

  return { cluster, call, register, signIn, member, everywhere, statusesOf, untilRefused, placeOf, urlOf, admin }
}

export type ClusterCalls = ReturnType<typeof callsOf>
