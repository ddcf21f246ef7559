import type { Answer, Call } from '../call.ts'
import { createMailbox, tokenIn } from '../mail.ts'
import { type Member, signIn, startSkep } from '../skep.ts'

export const PASSWORD = 'correct horse battery'
export const NEW_PASSWORD = 'another horse battery'
export const CONTENT = 'the content of a record'

const SECRET_MEMBERS = /^(access_token|refresh_token|token|password|url|email)$/

/** Sends the request of one step. */
export interface Step {
  readonly action: string
  run(id: string): Promise<Answer>
}

export type Steps = Readonly<Record<string, Step>>

/** A server, and requests to it that note every secret that is sent or received. */
export const startAuditWalk = async () => {
  const mailbox = createMailbox()
  const skep = await startSkep({}, { mailer: mailbox })
  let people = 0
  let preparations = 0

  /** Everything sent or received that is a secret. */
  const secrets = new Set<string>([PASSWORD, NEW_PASSWORD, CONTENT])

  const noteSecrets = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [name, member] of Object.entries(value)) {
      if (SECRET_MEMBERS.test(name) && typeof member === 'string') secrets.add(member)
      noteSecrets(member)
    }
  }

  /** A request with an id of its own, which its entries have. */
  const send = async (id: string, method: string, path: string, options: Call = {}): Promise<Answer> => {
    noteSecrets(options)
    if (options.token !== undefined) secrets.add(options.token)
    const answer = await skep.call(method, path, { ...options, headers: { ...options.headers, 'x-request-id': id } })
    noteSecrets(answer.body)
    return answer
  }

  /** A request that prepares a step. */
  const prepare = async (method: string, path: string, options: Call = {}): Promise<Answer> => {
    const answer = await send(`preparation-${++preparations}`, method, path, options)
    if (answer.status >= 400)
      throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    return answer
  }

  const newEmail = () => `person${++people}@example.com`

  /** The token of the next mail to someone. */
  const mailedTo = async (email: string): Promise<string> => {
    const token = tokenIn(await mailbox.next(email))
    secrets.add(token)
    return token
  }

  /** Someone registered and signed in, and the token of the welcome mail. */
  const member = async () => {
    const email = newEmail()
    const { body } = await prepare('POST', '/users/', { json: { email, name: 'Ann', password: PASSWORD } })
    const mailed = await mailedTo(email)
    const signedIn = await signIn(skep.call, { id: Number(body.id), email, password: PASSWORD })
    for (const token of [signedIn.token, signedIn.refreshToken]) secrets.add(token)
    return { ...signedIn, mailed }
  }

  let root: Member | null = null
  /** Creates the first admin, by a request with this id, and signs them in. */
  const setUp = async (id: string): Promise<void> => {
    const token = new URL(skep.setupUrl ?? '').hash.replace('#token=', '')
    const json = { token, email: 'root@example.com', name: 'Root', password: PASSWORD }
    const { status, body } = await send(id, 'POST', '/auth/setup', { json })
    if (status !== 201) throw new Error(`the set-up answered ${status}`)
    root = await signIn(skep.call, { id: Number(body.id), email: json.email, password: PASSWORD })
    secrets.add(root.token)
  }
  /** The token of the admin. */
  const admin = (): string => root?.token ?? ''

  return { skep, secrets, send, prepare, newEmail, member, mailedTo, setUp, admin }
}

export type AuditWalk = Awaited<ReturnType<typeof startAuditWalk>>
