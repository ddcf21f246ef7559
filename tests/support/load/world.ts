/** What one user has, as far as the server acknowledged it. */
export interface World {
  name: string
  readonly items: Map<number, ItemState>
  readonly files: Map<number, FileState>
  /** Every event there must be of the items, in order. */
  readonly log: WorldEvent[]
}

export interface ItemState {
  readonly title: string
  readonly description: string | null
  readonly data: Readonly<Record<string, unknown>>
  readonly version: number
}

export interface FileState {
  readonly filename: string
  readonly size: number
  readonly sha256: string
  /** Their addresses, without the origin. */
  readonly links: Map<number, string>
}

export interface WorldEvent {
  readonly event: string
  readonly id: number
  readonly version: number
}

export type Fields = Omit<ItemState, 'version'>

/** One change to items, at the version it is made to; several may go in one batch. Titles are never used twice. */
export type Change =
  | { readonly op: 'create'; readonly fields: Fields }
  | { readonly op: 'update'; readonly id: number; readonly version: number; readonly fields: Fields }
  | { readonly op: 'delete'; readonly id: number; readonly version: number }

export const newWorld = (name: string): World => ({ name, items: new Map(), files: new Map(), log: [] })

/**
 * What the items are after all the changes, and what is told of them. `idOf` knows the id of a created item by its
 * title. Null when it does not, or when an item that is to change is not there.
 */
export const afterChanges = (
  items: ReadonlyMap<number, ItemState>,
  changes: readonly Change[],
  idOf: (title: string) => number | null,
): { readonly items: Map<number, ItemState>; readonly events: readonly WorldEvent[] } | null => {
  const after = new Map(items)
  const events: WorldEvent[] = []
  for (const change of changes) {
    const id = change.op === 'create' ? idOf(change.fields.title) : change.id
    if (id === null) return null
    const before = after.get(id)
    if (change.op === 'create') {
      after.set(id, { ...change.fields, version: 1 })
      events.push({ event: 'item.created', id, version: 1 })
      continue
    }
    if (before?.version !== change.version) return null
    if (change.op === 'update') {
      const version = before.version + 1
      after.set(id, { ...change.fields, version })
      events.push({ event: 'item.updated', id, version })
    } else {
      after.delete(id)
      events.push({ event: 'item.deleted', id, version: before.version })
    }
  }
  return { items: after, events }
}

/** Takes changes that were made into the model. Throws when they do not fit it. */
export const takeChanges = (world: World, changes: readonly Change[], idOf: (title: string) => number | null): void => {
  const after = afterChanges(world.items, changes, idOf)
  if (after === null) throw new Error('the answer does not fit what was asked')
  world.items.clear()
  for (const [id, item] of after.items) world.items.set(id, item)
  world.log.push(...after.events)
}
