import type { Static, TSchema } from '@sinclair/typebox'
import type { CLIENT_FRAMES, SERVER_FRAMES } from './frames.ts'

type Some<T> = readonly [T, ...T[]]

type Examples<T extends Readonly<Record<string, TSchema>>> = { readonly [Name in keyof T]: Some<Static<T[Name]>> }

const ITEM = {
  id: 7,
  owner_id: 1,
  title: 'Oak table',
  description: null,
  data: { price: 240 },
  version: 1,
  created_at: '2026-01-31T12:00:00.000Z',
  updated_at: '2026-01-31T12:00:00.000Z',
}

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

/** What a client may send, frame by frame. */
export const CLIENT_EXAMPLES: Examples<typeof CLIENT_FRAMES> = {
  auth: [{ type: 'auth', token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl' }],
  subscribe: [
    { type: 'subscribe', topic: 'items' },
    { type: 'subscribe', topic: 'items/7', after: '5kx0q2m9t4.41', ref: 'again' },
  ],
  unsubscribe: [{ type: 'unsubscribe', topic: 'items' }],
  ping: [{ type: 'ping', ref: '1' }],
}

/** What the server sends, frame by frame. */
export const SERVER_EXAMPLES: Examples<typeof SERVER_FRAMES> = {
  ready: [
    { type: 'ready', client_id: 'laptop', user_id: 1, expires_at: '2026-01-31T12:15:00.000Z', cursor: '5kx0q2m9t4.41' },
  ],
  subscribed: [
    { type: 'subscribed', topic: 'items', cursor: '5kx0q2m9t4.41', gap: false },
    { type: 'subscribed', topic: 'items/7', cursor: '5kx0q2m9t4.41', gap: false, ref: 'again' },
  ],
  unsubscribed: [{ type: 'unsubscribed', topic: 'items' }],
  pong: [{ type: 'pong', ref: '1' }],
  error: [{ type: 'error', code: 'forbidden', detail: 'Only admins may subscribe to this topic' }],
  event: [
    { type: 'event', topic: 'items', cursor: '5kx0q2m9t4.42', event: 'item.created', data: ITEM },
    { type: 'event', topic: 'jobs', cursor: '5kx0q2m9t4.43', event: 'job.done', data: JOB },
  ],
}
