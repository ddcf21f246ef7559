import { beforeAll, describe, expect, test } from 'bun:test'
import type { Answer, Call, Fields } from '../../support/call.ts'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { type Member, signIn, startSkep } from '../../support/skep.ts'
import { openStoreOf } from '../../support/stack.ts'
import { MULTIPART, multipart, PNG, part } from '../../support/uploads.ts'

interface Entry {
  readonly id: number
  readonly action: string
  readonly subject: string | null
  readonly actor_id: number | null
  readonly address: string | null
  readonly session_id: number | null
  readonly request_id: string | null
  readonly details: Readonly<Record<string, unknown>>
}

interface Page {
  readonly items: readonly Entry[]
  readonly next_cursor: string | null
}

const PASSWORD = 'correct horse battery'
const NEW_PASSWORD = 'another horse battery'
const CONTENT = 'the content of a record'

const mailbox = createMailbox()
const skep = await startSkep({}, { mailer: mailbox })

/** Everything sent or received that is a secret. */
const secrets = new Set<string>([PASSWORD, NEW_PASSWORD, CONTENT])
const SECRET_MEMBERS = /^(access_token|refresh_token|token|password|url|email)$/

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

let requests = 0
/** A request that prepares a step. */
const prepare = async (method: string, path: string, options: Call = {}): Promise<Answer> => {
  const answer = await send(`preparation-${++requests}`, method, path, options)
  if (answer.status >= 400)
    throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  return answer
}

const SCHEMA = {
  type: 'object',
  required: ['title'],
  properties: { title: { type: 'string', maxLength: 200 } },
}

let root: Member
let people = 0

const setUp = async (id: string): Promise<Answer> => {
  const token = new URL(skep.setupUrl ?? '').hash.replace('#token=', '')
  const json = { token, email: 'root@example.com', name: 'Root', password: PASSWORD }
  return send(id, 'POST', '/auth/setup', { json })
}

/** Someone registered and signed in, and the token of the welcome mail. */
const member = async () => {
  const email = `person${++people}@example.com`
  const { body } = await prepare('POST', '/users/', { json: { email, name: 'Ann', password: PASSWORD } })
  const mailed = tokenIn(await mailbox.next(email))
  secrets.add(mailed)
  const signedIn = await signIn(skep.call, { id: Number(body.id), email, password: PASSWORD })
  for (const token of [signedIn.token, signedIn.refreshToken]) secrets.add(token)
  return { ...signedIn, mailed }
}

const create = async (path: string, token: string): Promise<string> => {
  const { body } = await prepare('POST', path, { token, json: { title: CONTENT } })
  return `${path}${body.id}`
}

const file = () => ({
  headers: { 'content-type': MULTIPART },
  body: multipart(part('name="file"; filename="a.png"', PNG)),
})

const upload = async (token: string): Promise<string> => {
  const { body } = await prepare('POST', '/files/', { token, ...file() })
  return `/files/${body.id}`
}

const jobInQueue = async (): Promise<number> => {
  const store = await openStoreOf(skep.dataDir)
  await store.write((tx) =>
    tx.jobs.enqueue({ kind: 'clean-up', payload: {}, now: Date.now(), runAt: Date.now() + 3_600_000 }),
  )
  await store.close()
  const { body } = await prepare('GET', '/admin/jobs?state=queued', { token: root.token })
  const [job] = body.items as readonly { readonly id: number }[]
  return job?.id ?? 0
}

/** Sends the request of one step. */
interface Step {
  readonly action: string
  run(id: string): Promise<Answer>
}

const ITEMS = '/items/'
const TASKS = '/collections/tasks/records/'

/** The steps of the records of one collection. */
const recordSteps = (title: string, plural: string, path: string): Readonly<Record<string, Step>> => ({
  [`create${title}`]: {
    action: 'record.created',
    run: async (id) => send(id, 'POST', path, { token: (await member()).token, json: { title: CONTENT } }),
  },
  [`update${title}`]: {
    action: 'record.updated',
    async run(id) {
      const { token } = await member()
      return send(id, 'PATCH', await create(path, token), { token, json: { title: 'other' } })
    },
  },
  [`delete${title}`]: {
    action: 'record.deleted',
    async run(id) {
      const { token } = await member()
      return send(id, 'DELETE', await create(path, token), { token })
    },
  },
  [`revert${title}`]: {
    action: 'record.updated',
    async run(id) {
      const { token } = await member()
      const record = await create(path, token)
      await prepare('PATCH', record, { token, json: { title: 'other' } })
      return send(id, 'POST', `${record}/revert`, { token, json: { version: 1 } })
    },
  },
  [`import${plural}`]: {
    action: 'record.created',
    run: (id) =>
      send(id, 'POST', `/collections/${plural.toLowerCase()}/records/import`, {
        token: root.token,
        headers: { 'content-type': 'application/x-ndjson' },
        body: JSON.stringify({ title: CONTENT }),
      }),
  },
})

const STEPS: Readonly<Record<string, Step>> = {
  registerUser: {
    action: 'user.created',
    run: (id) =>
      send(id, 'POST', '/users/', {
        json: { email: `person${++people}@example.com`, name: 'Ann', password: PASSWORD },
      }),
  },
  updateMe: {
    action: 'user.updated',
    run: async (id) => send(id, 'PATCH', '/users/me', { token: (await member()).token, json: { name: 'Bea' } }),
  },
  updateUser: {
    action: 'user.updated',
    run: async (id) =>
      send(id, 'PATCH', `/users/${(await member()).id}`, { token: root.token, json: { role: 'admin' } }),
  },
  deleteMe: {
    action: 'user.deleted',
    run: async (id) =>
      send(id, 'DELETE', '/users/me', { token: (await member()).token, json: { current_password: PASSWORD } }),
  },
  deleteUser: {
    action: 'user.deleted',
    run: async (id) => send(id, 'DELETE', `/users/${(await member()).id}`, { token: root.token }),
  },
  changePassword: {
    action: 'password.changed',
    run: async (id) =>
      send(id, 'POST', '/users/me/password', {
        token: (await member()).token,
        json: { current_password: PASSWORD, new_password: NEW_PASSWORD },
      }),
  },
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
      send(id, 'DELETE', `/users/${(await member()).id}/sessions?force_reset=true`, { token: root.token }),
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
      secrets.add(tokenIn(await mailbox.next(email)))
      return answer
    },
  },
  resetPassword: {
    action: 'password.reset',
    async run(id) {
      const { email } = await member()
      await prepare('POST', '/auth/password/forgot', { json: { email } })
      const token = tokenIn(await mailbox.next(email))
      return send(id, 'POST', '/auth/password/reset', { json: { token, password: NEW_PASSWORD } })
    },
  },
  putCollection: {
    action: 'collection.created',
    run: (id) => send(id, 'PUT', '/collections/notes', { token: root.token, json: { schema: SCHEMA } }),
  },
  deleteCollection: {
    action: 'collection.deleted',
    async run(id) {
      await prepare('PUT', '/collections/papers', { token: root.token, json: { schema: SCHEMA } })
      return send(id, 'DELETE', '/collections/papers', { token: root.token })
    },
  },
  ...recordSteps('Item', 'Items', ITEMS),
  ...recordSteps('Task', 'Tasks', TASKS),
  batchItems: {
    action: 'record.created',
    run: async (id) =>
      send(id, 'POST', '/items/batch', {
        token: (await member()).token,
        json: { operations: [{ op: 'create', title: CONTENT }] },
      }),
  },
  batchRecords: {
    action: 'record.created',
    run: async (id) =>
      send(id, 'POST', '/batch', {
        token: (await member()).token,
        json: { operations: [{ collection: 'tasks', op: 'create', title: CONTENT }] },
      }),
  },
  uploadFile: {
    action: 'file.created',
    run: async (id) => send(id, 'POST', '/files/', { token: (await member()).token, ...file() }),
  },
  deleteFile: {
    action: 'file.deleted',
    async run(id) {
      const { token } = await member()
      return send(id, 'DELETE', await upload(token), { token })
    },
  },
  createFileLink: {
    action: 'link.created',
    async run(id) {
      const { token } = await member()
      return send(id, 'POST', `${await upload(token)}/links`, { token, json: { expires_in: 60 } })
    },
  },
  deleteFileLink: {
    action: 'link.deleted',
    async run(id) {
      const { token } = await member()
      const path = await upload(token)
      const { body } = await prepare('POST', `${path}/links`, { token, json: { expires_in: 60 } })
      return send(id, 'DELETE', `${path}/links/${body.id}`, { token })
    },
  },
  retryJob: {
    action: 'job.retried',
    run: async (id) => send(id, 'POST', `/admin/jobs/${await jobInQueue()}/retry`, { token: root.token }),
  },
  deleteJob: {
    action: 'job.deleted',
    run: async (id) => send(id, 'DELETE', `/admin/jobs/${await jobInQueue()}`, { token: root.token }),
  },
}

/** Operations that change nothing although their method allows it. */
const READING = ['lookUpUser', 'checkCollection']

/** The first step, because it works once. */
const FIRST = 'createFirstAdmin'

let changing: readonly string[] = []
const all: Entry[] = []

const entriesOf = (id: string): readonly Entry[] => all.filter(({ request_id }) => request_id === id)

const readAll = async (): Promise<void> => {
  for (let cursor: string | null = ''; cursor !== null; ) {
    const after: string = cursor === '' ? '' : `&cursor=${cursor}`
    const { body } = await skep.call<Page>('GET', `/admin/audit?size=100&total=false${after}`, { token: root.token })
    all.push(...body.items)
    cursor = body.next_cursor
  }
}

const operationsThatChange = (document: Fields): readonly string[] =>
  Object.values(document.paths as Readonly<Record<string, Readonly<Record<string, { operationId?: string }>>>>)
    .flatMap((methods) => Object.entries(methods))
    .filter(([method]) => ['post', 'put', 'patch', 'delete'].includes(method))
    .map(([, { operationId }]) => operationId ?? '')

beforeAll(async () => {
  const { status, body } = await setUp(FIRST)
  if (status !== 201) throw new Error(`the set-up answered ${status}`)
  root = await signIn(skep.call, { id: Number(body.id), email: 'root@example.com', password: PASSWORD })
  secrets.add(root.token)
  await prepare('PUT', '/collections/tasks', { token: root.token, json: { schema: SCHEMA } })
  changing = operationsThatChange((await skep.call('GET', '//openapi.json', { token: root.token })).body)
  for (const [id, step] of Object.entries(STEPS)) {
    const answer = await step.run(id)
    if (answer.status >= 400) throw new Error(`${id} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  }
  await readAll()
}, 60_000)

describe('the audit log', () => {
  test('is tried with every operation that changes something', () => {
    // A new operation needs a step here, or changes nothing.
    expect([...changing].sort()).toEqual([FIRST, ...Object.keys(STEPS), ...READING].sort())
  })

  const tried = Object.entries(STEPS).map(([id, { action }]) => [id, action] as const)
  test.each([[FIRST, 'user.created'] as const, ...tried])('has exactly one entry for %s: %s', (id, action) => {
    expect(entriesOf(id).map((entry) => entry.action)).toEqual([action])
  })

  test('has the address of every request, except for changes of records', () => {
    // The address of someone who deletes their account goes with it.
    const { deleteMe: _, ...others } = STEPS
    for (const { action, address } of Object.keys(others).flatMap(entriesOf)) {
      expect([action, address]).toEqual([action, action.startsWith('record.') ? null : '127.0.0.1'])
    }
  })

  test('has no secret that was sent or received, no email address and no content of a record', () => {
    const text = JSON.stringify(all)
    expect(all.length).toBeGreaterThan(changing.length)
    expect(secrets.size).toBeGreaterThan(changing.length)
    expect([...secrets].filter((secret) => text.includes(secret))).toEqual([])
  })
})
