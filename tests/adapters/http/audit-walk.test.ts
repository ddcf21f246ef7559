import { beforeAll, describe, expect, test } from 'bun:test'
import { accountSteps, sessionSteps } from '../../support/audit/account-steps.ts'
import { fileSteps } from '../../support/audit/file-steps.ts'
import { operationSteps } from '../../support/audit/operation-steps.ts'
import { recordSteps, SCHEMA } from '../../support/audit/record-steps.ts'
import { type Steps, startAuditWalk } from '../../support/audit/walk.ts'
import type { Fields } from '../../support/call.ts'

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

const walk = await startAuditWalk()
const { skep, secrets, prepare, setUp, admin } = walk

const STEPS: Steps = {
  ...accountSteps(walk),
  ...sessionSteps(walk),
  ...recordSteps(walk),
  ...fileSteps(walk),
  ...operationSteps(walk),
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
    const { body } = await skep.call<Page>('GET', `/admin/audit?size=100&total=false${after}`, { token: admin() })
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
  await setUp(FIRST)
  await prepare('PUT', '/collections/tasks', { token: admin(), json: { schema: SCHEMA } })
  changing = operationsThatChange((await skep.call('GET', '//openapi.json', { token: admin() })).body)
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
