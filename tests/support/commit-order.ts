import type { Frame } from './socket.ts'

/** A write that was acknowledged, and when it was under way. */
export interface Write {
  /** As {@link whatOf} calls it. */
  readonly what: string
  readonly begun: number
  readonly ended: number
}

const METHODS: Readonly<Record<string, string>> = {
  'item.created': 'POST',
  'item.updated': 'PATCH',
  'item.deleted': 'DELETE',
}

/** Method, id and version of what an event tells. */
export const whatOf = ({ event = '', data }: Frame): string => `${METHODS[event]} ${data?.id} ${data?.version}`

/** Writes that were received of before another that was over when they began. */
export const receivedTooEarly = (received: readonly Frame[], writes: readonly Write[]): string[] => {
  const byWhat = new Map(writes.map((write) => [write.what, write]))
  const early: string[] = []
  let earliestEnd = Number.POSITIVE_INFINITY
  for (const frame of received.toReversed()) {
    const write = byWhat.get(whatOf(frame))
    if (write === undefined) continue
    if (write.begun > earliestEnd) early.push(write.what)
    earliestEnd = Math.min(earliestEnd, write.ended)
  }
  return early
}
