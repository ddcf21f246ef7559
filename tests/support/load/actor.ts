import { acknowledge } from './acknowledge.ts'
import { type Attempt, type LoadProfile, nextAttempt } from './attempt.ts'
import type { Random } from './random.ts'
import { type Reply, send } from './send.ts'
import { newWorld, type World } from './world.ts'

export interface SessionState {
  readonly accessToken: string
  readonly refreshToken: string
  /** What it was exchanged for and when the exchange began, newest last. */
  readonly spent: readonly Spent[]
}

export interface Spent {
  readonly token: string
  readonly successor: string
  /** Milliseconds of `Date.now()`. */
  readonly at: number
}

/**
 * One user who does one thing after another, and remembers what was acknowledged. At most one attempt is open at any
 * moment, so that after a crash there are two states to expect and not more.
 */
export interface Actor {
  /** A word that only this actor uses. */
  readonly tag: string
  readonly email: string
  readonly password: string
  readonly random: Random
  readonly world: World
  /** A number that was not given before. */
  serial(): number
  /** Null until it is registered. */
  id: number | null
  /** Null while it is signed out. */
  session: SessionState | null
  /** What was sent and not answered. */
  pending: { readonly attempt: Attempt; readonly at: number } | null
  /** Sessions that are over for good. */
  readonly ended: SessionState[]
  /** Addresses of links, without origin, that open nothing any more. */
  readonly deadLinks: string[]
  readonly deadFiles: number[]
  /** When a mail for a forgotten password was first asked for. */
  forgotAt: number | null
  /** The account was deleted. */
  gone: boolean
}

export const createActor = (tag: string, random: Random): Actor => {
  let serials = 0
  return {
    tag,
    email: `${tag}@example.com`,
    password: `correct horse ${tag}`,
    random,
    world: newWorld(tag),
    serial: () => ++serials,
    id: null,
    session: null,
    pending: null,
    ended: [],
    deadLinks: [],
    deadFiles: [],
    forgotAt: null,
    gone: false,
  }
}

export interface Stage {
  /** Where the server is, without a slash at the end. */
  readonly url: string
  readonly profile: LoadProfile
  /** An answer that no attempt may get. */
  complain(what: string): void
}

/**
 * Does the actor's next thing, or once more what was left open. Rejects when no whole answer came; the attempt is left
 * open then. Answers what it was, and `refused` when the server said to come again later.
 */
export const act = async (
  actor: Actor,
  stage: Stage,
): Promise<{ readonly kind: string; readonly refused: boolean }> => {
  const attempt = actor.pending?.attempt ?? nextAttempt(actor, stage.profile)
  actor.pending = { attempt, at: Date.now() }
  const reply: Reply = await send(stage.url, actor, attempt)
  const at = actor.pending.at
  actor.pending = null
  const { kind } = attempt
  if (reply.status === 503 || reply.status === 429) return { kind, refused: true }
  const problem = acknowledge(actor, attempt, reply, at)
  if (problem !== null) stage.complain(`${actor.tag}: ${kind} ${problem}`)
  return { kind, refused: false }
}
