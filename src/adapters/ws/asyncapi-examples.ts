import type { Static, TSchema } from '@sinclair/typebox'
import type { CLIENT_FRAMES, SERVER_FRAMES } from './frames.ts'
import { EXAMPLE } from './subjects.ts'

type Some<T> = readonly [T, ...T[]]

type Examples<T extends Readonly<Record<string, TSchema>>> = { readonly [Name in keyof T]: Some<Static<T[Name]>> }

const { topic: TOPIC, event: EVENT, record: RECORD } = EXAMPLE

const JOB = {
  id: 3,
  kind: 'mail',
  state: 'done' as const,
  attempts: 1,
  run_at: '2026-01-31T12:00:00.000Z',
  last_error: null,
  created_at: '2026-01-31T12:00:00.000Z',
  updated_at: '2026-01-31T12:00:01.000Z',
}

/** Examples of client frames. */
export const CLIENT_EXAMPLES: Examples<typeof CLIENT_FRAMES> = {
  auth: [{ type: 'auth', token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl' }],
  subscribe: [
    { type: 'subscribe', topic: TOPIC },
    { type: 'subscribe', topic: `${TOPIC}/7`, after: '5kx0q2m9t4.41', ref: 'again' },
    { type: 'subscribe', topic: 'tasks', filter: '!done && list.open' },
  ],
  unsubscribe: [{ type: 'unsubscribe', topic: TOPIC }],
  ping: [{ type: 'ping', ref: '1' }],
}

/** Examples of server frames. */
export const SERVER_EXAMPLES: Examples<typeof SERVER_FRAMES> = {
  ready: [
    { type: 'ready', client_id: 'laptop', user_id: 1, expires_at: '2026-01-31T12:15:00.000Z', cursor: '5kx0q2m9t4.41' },
  ],
  subscribed: [
    { type: 'subscribed', topic: TOPIC, cursor: '5kx0q2m9t4.41', gap: false },
    { type: 'subscribed', topic: `${TOPIC}/7`, cursor: '5kx0q2m9t4.41', gap: false, ref: 'again' },
  ],
  unsubscribed: [{ type: 'unsubscribed', topic: TOPIC }],
  pong: [{ type: 'pong', ref: '1' }],
  error: [{ type: 'error', code: 'forbidden', detail: 'Only an admin may do this' }],
  event: [
    { type: 'event', topic: TOPIC, cursor: '5kx0q2m9t4.42', event: EVENT, data: RECORD },
    { type: 'event', topic: 'tasks', cursor: '5kx0q2m9t4.44', event: 'task.left', data: { id: 7 } },
    { type: 'event', topic: 'jobs', cursor: '5kx0q2m9t4.43', event: 'job.done', data: JOB },
  ],
}
