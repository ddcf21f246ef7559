import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Actor } from './actor.ts'
import type { Attempt } from './attempt.ts'
import { digestOf, type Reply } from './send.ts'
import { takeChanges } from './world.ts'

const Created = Type.Object({ id: Type.Number() })
const Pair = Type.Object({ access_token: Type.String(), refresh_token: Type.String() })
const Titled = Type.Object({ id: Type.Number(), title: Type.String() })
const Results = Type.Object({ results: Type.Array(Type.Union([Titled, Type.Null()])) })
const Uploaded = Type.Object({ id: Type.Number(), sha256: Type.String(), size: Type.Number() })
const Linked = Type.Object({ id: Type.Number(), url: Type.String() })
const Page = Type.Object({ total: Type.Number() })

/** The body as it must be. Throws when it is not. */
export const expectShape = <T extends TSchema>(schema: T, body: unknown): Static<T> => {
  if (Value.Check(schema, body)) return body
  throw new Error(`has an unexpected body: ${JSON.stringify(body)?.slice(0, 300)}`)
}

const STATUS: Readonly<Record<Attempt['kind'], readonly number[]>> = {
  register: [201],
  'sign-in': [200],
  refresh: [200],
  revoke: [200],
  forgot: [202],
  leave: [204],
  rename: [200],
  list: [200],
  search: [200],
  items: [200, 201, 204],
  upload: [201],
  'remove-file': [204],
  download: [200],
  link: [201],
  unlink: [204],
}

/** A link's address without its origin, which changes from start to start. */
export const pathOfLink = (url: string): string => {
  const { pathname, search } = new URL(url)
  return pathname + search
}

const endSession = (actor: Actor): void => {
  if (actor.session !== null) actor.ended.push(actor.session)
  actor.session = null
}

const take = (actor: Actor, attempt: Attempt, { body }: Reply, at: number): void => {
  const { world } = actor
  switch (attempt.kind) {
    case 'register':
      actor.id = expectShape(Created, body).id
      return
    case 'sign-in': {
      const { access_token, refresh_token } = expectShape(Pair, body)
      actor.session = { accessToken: access_token, refreshToken: refresh_token, spent: [] }
      return
    }
    case 'refresh': {
      const { access_token, refresh_token } = expectShape(Pair, body)
      const spent = { token: attempt.refreshToken, successor: refresh_token, at }
      const before = actor.session?.spent ?? []
      actor.session = { accessToken: access_token, refreshToken: refresh_token, spent: [...before, spent].slice(-20) }
      return
    }
    case 'revoke':
      endSession(actor)
      return
    case 'forgot':
      // Later ones may be too many to be mailed.
      actor.forgotAt ??= at
      return
    case 'leave':
      endSession(actor)
      actor.gone = true
      return
    case 'rename':
      world.name = attempt.name
      return
    case 'list':
    case 'search': {
      const { total } = expectShape(Page, body)
      if (total !== world.items.size) throw new Error(`says ${total} items of ${world.items.size}`)
      return
    }
    case 'items': {
      const found = attempt.batch ? expectShape(Results, body).results : Value.Check(Titled, body) ? [body] : []
      const ids = new Map(found.flatMap((item) => (item === null ? [] : [[item.title, item.id] as const])))
      takeChanges(world, attempt.changes, (title) => ids.get(title) ?? null)
      return
    }
    case 'upload': {
      const { id, sha256, size } = expectShape(Uploaded, body)
      if (sha256 !== digestOf(attempt.content)) throw new Error('was answered with another sha256')
      world.files.set(id, { filename: attempt.filename, size, sha256, links: new Map() })
      return
    }
    case 'remove-file':
      actor.deadLinks.push(...(world.files.get(attempt.id)?.links.values() ?? []))
      actor.deadFiles.push(attempt.id)
      world.files.delete(attempt.id)
      return
    case 'download':
      return
    case 'link': {
      const { id, url } = expectShape(Linked, body)
      world.files.get(attempt.id)?.links.set(id, pathOfLink(url))
      return
    }
    case 'unlink': {
      const links = world.files.get(attempt.id)?.links
      actor.deadLinks.push(links?.get(attempt.linkId) ?? '')
      links?.delete(attempt.linkId)
    }
  }
}

/** Takes an answer into the actor's world. Answers what is wrong with it, or null. `at`: when it was asked for. */
export const acknowledge = (actor: Actor, attempt: Attempt, reply: Reply, at: number): string | null => {
  if (!STATUS[attempt.kind].includes(reply.status)) {
    return `was answered ${reply.status}: ${JSON.stringify(reply.body).slice(0, 300)}`
  }
  try {
    take(actor, attempt, reply, at)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
