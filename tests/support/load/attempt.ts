import { PNG } from '../uploads.ts'
import type { Actor } from './actor.ts'
import type { Random } from './random.ts'
import type { Change, Fields } from './world.ts'

/** Something an actor asks of the server, whole: it can be sent again as it is. */
export type Attempt =
  | { readonly kind: 'register' | 'sign-in' | 'revoke' | 'forgot' | 'leave' | 'list' | 'search' }
  | {
      readonly kind: 'items'
      readonly changes: readonly Change[]
      readonly batch: boolean
      readonly key: string | null
    }
  | {
      readonly kind: 'upload'
      readonly filename: string
      readonly content: Uint8Array
      readonly key: string | null
      readonly slow: boolean
    }
  | { readonly kind: 'remove-file' | 'download'; readonly id: number }
  | { readonly kind: 'link'; readonly id: number; readonly key: string | null }
  | { readonly kind: 'unlink'; readonly id: number; readonly linkId: number }
  | { readonly kind: 'refresh'; readonly refreshToken: string }
  | { readonly kind: 'rename'; readonly name: string }

export interface LoadProfile {
  /** Items and files that an actor has at most; it keeps about so many. */
  readonly items: number
  readonly files: number
  /** How often accounts and sessions come and go; 1 is much, for each costs a password hash. */
  readonly churn: number
  /** Bytes of a file at most. */
  readonly fileSize: number
}

const BLOCK_BYTES = 1_024

/** Bytes that pass for a picture and are like no others. */
const picture = (random: Random, size: number): Uint8Array => {
  const bytes = new Uint8Array(Math.max(size, BLOCK_BYTES))
  for (let at = 0; at < BLOCK_BYTES; at++) bytes[at] = random.integer(0, 255)
  for (let at = BLOCK_BYTES; at < bytes.length; at += BLOCK_BYTES) bytes.copyWithin(at, 0, BLOCK_BYTES)
  bytes.set(PNG)
  return bytes
}

const WORDS = ['oak', 'ash', 'elm', 'pine', 'birch', 'maple', 'cherry', 'walnut'] as const

const fieldsOf = ({ random, tag, serial }: Actor): Fields => ({
  title: `${tag} ${serial()} ${random.pick(WORDS)}`,
  description: random.chance(0.2) ? null : `${random.pick(WORDS)} `.repeat(random.integer(1, 60)),
  data: { n: random.integer(0, 1_000_000) },
})

const keyOf = ({ random, tag, serial }: Actor): string | null => (random.chance(0.5) ? `${tag}-key-${serial()}` : null)

const changeOf = (actor: Actor, op: 'update' | 'delete', id: number): Change => {
  const version = actor.world.items.get(id)?.version ?? 0
  return op === 'update' ? { op, id, version, fields: fieldsOf(actor) } : { op, id, version }
}

const batchOf = (actor: Actor, most: number): Change[] => {
  const { random, world } = actor
  const ids = [...world.items.keys()]
  const untouched = new Set(ids)
  const changes: Change[] = []
  let size = ids.length
  for (let left = random.integer(2, 20); left > 0; left--) {
    const id = untouched.size === 0 ? null : random.pick([...untouched])
    const op =
      id === null
        ? 'create'
        : random.weighted({ create: size < most ? 2 : 0, update: 3, delete: size > most / 2 ? 2 : 0 })
    if (id === null || op === 'create') {
      changes.push({ op: 'create', fields: fieldsOf(actor) })
      size++
      continue
    }
    untouched.delete(id)
    changes.push(changeOf(actor, op, id))
    if (op === 'delete') size--
  }
  return changes
}

/** What the actor does next. */
export const nextAttempt = (actor: Actor, profile: LoadProfile): Attempt => {
  const { random, world, session } = actor
  if (actor.id === null) return { kind: 'register' }
  if (session === null) return { kind: 'sign-in' }
  const items = [...world.items.keys()]
  const files = [...world.files.keys()]
  const links = [...world.files].flatMap(([id, file]) => [...file.links.keys()].map((linkId) => ({ id, linkId })))
  const kind = random.weighted({
    create: items.length < profile.items ? 24 : 0,
    update: items.length > 0 ? 26 : 0,
    delete: items.length > profile.items / 2 ? 18 : 0,
    batch: 6,
    upload: files.length < profile.files ? 8 : 0,
    'remove-file': files.length > profile.files / 2 ? 6 : 0,
    download: files.length > 0 ? 4 : 0,
    link: files.length > 0 && links.length < profile.files ? 4 : 0,
    unlink: links.length > profile.files / 2 ? 3 : 0,
    refresh: 4,
    rename: 2,
    list: 8,
    search: 4,
    revoke: profile.churn,
    forgot: profile.churn,
    leave: profile.churn / 2,
  })
  switch (kind) {
    case 'create':
      return { kind: 'items', changes: [{ op: 'create', fields: fieldsOf(actor) }], batch: false, key: keyOf(actor) }
    case 'update':
    case 'delete':
      return { kind: 'items', changes: [changeOf(actor, kind, random.pick(items))], batch: false, key: null }
    case 'batch':
      return { kind: 'items', changes: batchOf(actor, profile.items), batch: true, key: keyOf(actor) }
    case 'upload': {
      const size = Math.round(profile.fileSize * random.next() ** 3)
      const filename = `${actor.tag}-${actor.serial()}.png`
      return { kind, filename, content: picture(random, size), key: keyOf(actor), slow: random.chance(0.1) }
    }
    case 'remove-file':
    case 'download':
      return { kind, id: random.pick(files) }
    case 'link':
      return { kind, id: random.pick(files), key: keyOf(actor) }
    case 'unlink':
      return { kind, ...random.pick(links) }
    case 'refresh':
      return { kind, refreshToken: session.refreshToken }
    case 'rename':
      return { kind, name: `${actor.tag} ${actor.serial()}` }
    default:
      return { kind }
  }
}
