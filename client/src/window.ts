import type { EventFrame } from './connection.ts'
import { compareBy, type ListedRecord, type Placed } from './order.ts'

/** The records of a list in the order of the server, or the first of them. */
export const createWindow = <Entity extends ListedRecord>(sort: string | undefined, limit: number) => {
  type Entry = Placed & { readonly record: Entity }
  const compare = compareBy(sort)
  let entries = new Map<number, Entry>()
  /** The last record of a list that goes on; null if the list is whole. */
  let horizon: Entry | null = null
  let needsList = false
  const uncertain = () => {
    needsList = true
  }
  const take = (id: number) => {
    if (entries.delete(id) && horizon !== null) needsList = true
  }
  return {
    /** Begins anew with what the server lists. */
    fill(records: readonly Entity[], hasMore: boolean) {
      entries = new Map(records.map((record, rank) => [record.id, { record, rank }]))
      horizon = hasMore ? ([...entries.values()].at(-1) ?? null) : null
      needsList = hasMore && horizon === null
    },
    apply({ event, data }: EventFrame) {
      if (/\.(deleted|left)$/.test(event)) return take(data.id)
      // What a topic sends besides are records.
      const record = data as Entity
      const known = entries.get(record.id)
      if (known !== undefined && known.record.version > record.version) return
      if (known?.record.version === record.version) {
        // It changed while it was listed: it may have been listed in its former place.
        entries.set(record.id, { record: known.record, rank: null })
        if (horizon !== null) needsList = true
        return
      }
      const entry = { record, rank: null }
      if (horizon !== null && compare(entry, horizon, uncertain) > 0) take(record.id)
      else entries.set(record.id, entry)
    },
    /** The list, and whether only the server knows how it goes on or is ordered. */
    settle(): { readonly records: readonly Entity[]; readonly needsList: boolean } {
      const sorted = [...entries.values()].sort((one, other) => compare(one, other, uncertain))
      for (const { record } of sorted.splice(limit)) {
        entries.delete(record.id)
        horizon = sorted.at(-1) ?? null
      }
      const isNeeded = needsList
      needsList = false
      return { records: Object.freeze(sorted.map(({ record }) => record)), needsList: isNeeded }
    },
  }
}
