import type { Answer, Connection, Parameter } from './connection.ts'
import { isLost, unavailable } from './errors.ts'
import { connect, type Link } from './link.ts'

export interface PoolOptions {
  /** `postgres://…`; with `?prepare=false` no statement is named, as PgBouncer in transaction mode needs it. */
  readonly url: string
  /** Connections at most. */
  readonly size: number
  /** Milliseconds to wait for a free connection, or for the server to take a new one. */
  readonly patience?: number
  /** A connection is given up when the server has not answered for so many milliseconds; without it, never. */
  readonly silence?: number
  /** Runs before anything else is sent on a new connection, which is given up when it fails. */
  readonly onOpened?: (link: Link) => Promise<void>
  /** Hears how many milliseconds a single statement waited for a connection, in vain or not. */
  readonly onWaited?: ((milliseconds: number) => void) | undefined
}

/** A lost connection is replaced without a word where a single statement may run again: it only reads. */
export interface Pool extends Connection {
  /** How many may work exclusively at the same time. */
  readonly mostExclusive: number
  /** Milliseconds to wait for a free connection. */
  readonly patience: number
  /** Runs `work` with a connection that nobody else sends on meanwhile. Rejects with `unavailable` when none is free. */
  exclusively<T>(work: (link: Link) => Promise<T>): Promise<T>
  /** Refuses what comes, waits up to `timeout` milliseconds for what runs, then closes every connection. */
  close(timeout: number): Promise<void>
}

interface Lane {
  link: Link | null
  opening: Promise<Link> | null
  /** Statements under way that share it. */
  sharing: number
  /** Those of them that are not sent yet: a transaction that began now would have them inside it. */
  unsent: number
  taken: boolean
}

/** So many statements follow each other on one connection before others wait. */
const DEPTH = 64

/**
 * Connections of which each carries either one transaction or any number of single statements, one after the other
 * without waiting for answers between them. Where there are two or more, one is always left for single statements.
 */
export const createPool = ({ url, size, patience = 5_000, silence, onOpened, onWaited }: PoolOptions): Pool => {
  const lanes: Lane[] = Array.from({ length: size }, () => ({
    link: null,
    opening: null,
    sharing: 0,
    unsent: 0,
    taken: false,
  }))
  const mostExclusive = Math.max(1, size - 1)
  let taken = 0
  let closing: (() => void) | null = null
  const waiting = { shared: new Set<(lane: Lane) => void>(), exclusive: new Set<(lane: Lane) => void>() }

  // A server behind a network that is gone, or one that hangs, would hold all who asked for as long as it likes.
  const closeSilent = (longest: number) => {
    const silent = lanes.flatMap(({ link }) => (link !== null && link.silentFor() > longest ? [link] : []))
    // Those that were idle have gone the same way.
    if (silent.some((link) => link.isWaiting())) for (const link of silent) link.close()
  }
  const watching = silence === undefined ? null : setInterval(closeSilent, silence / 3, silence)
  watching?.unref()

  /** The idlest one that may be used so; one that is open before one that is not. */
  const pick = (exclusive: boolean): Lane | null => {
    if (exclusive && taken >= mostExclusive) return null
    let best: Lane | null = null
    let least = Number.POSITIVE_INFINITY
    for (const lane of lanes) {
      const load = lane.sharing * 2 + (lane.link === null ? 1 : 0)
      if (lane.taken || lane.sharing >= DEPTH || (exclusive && lane.unsent > 0) || load >= least) continue
      best = lane
      least = load
    }
    return best
  }

  const enter = (lane: Lane, exclusive: boolean): Lane => {
    if (exclusive) {
      lane.taken = true
      taken++
    } else {
      lane.sharing++
      lane.unsent++
    }
    return lane
  }

  const wait = (exclusive: boolean): Promise<Lane> => {
    const queue = exclusive ? waiting.exclusive : waiting.shared
    return new Promise((resolve, reject) => {
      const admitted = (lane: Lane) => {
        clearTimeout(timer)
        resolve(lane)
      }
      const timer = setTimeout(() => {
        queue.delete(admitted)
        reject(unavailable('The database is busy'))
      }, patience)
      queue.add(admitted)
    })
  }

  const admit = (exclusive: boolean) => {
    const queue = exclusive ? waiting.exclusive : waiting.shared
    for (const admitted of queue) {
      const lane = pick(exclusive)
      if (lane === null) return
      queue.delete(admitted)
      admitted(enter(lane, exclusive))
    }
  }

  const sent = (lane: Lane) => {
    lane.unsent--
    if (waiting.exclusive.size > 0) admit(true)
  }

  const leave = (lane: Lane, exclusive: boolean) => {
    if (exclusive) {
      lane.taken = false
      taken--
    } else lane.sharing--
    if (waiting.exclusive.size > 0) admit(true)
    if (waiting.shared.size > 0) admit(false)
    if (closing !== null && taken === 0 && lanes.every(({ sharing }) => sharing === 0)) closing()
  }

  const connectAndLook = async (lane: Lane): Promise<Link> => {
    const link = await connect(url, patience, (lost) => {
      if (lane.link === lost) lane.link = null
    })
    if (onOpened === undefined) return link
    const timer = setTimeout(link.close, patience)
    try {
      await onOpened(link)
      return link
    } catch (error) {
      link.close()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  const open = async (lane: Lane): Promise<Link> => {
    lane.opening ??= connectAndLook(lane).finally(() => {
      lane.opening = null
    })
    const link = await lane.opening
    lane.link = link
    return link
  }

  const using = async <T>(exclusive: boolean, work: (link: Link, isUsed: boolean) => Promise<T>): Promise<T> => {
    if (closing !== null) throw unavailable('The server is stopping')
    const free = pick(exclusive)
    const askedAt = performance.now()
    if (free !== null) enter(free, exclusive)
    const lane = free ?? (await wait(exclusive).finally(() => exclusive || onWaited?.(performance.now() - askedAt)))
    if (free !== null && !exclusive) onWaited?.(0)
    let unsent = !exclusive
    try {
      const isUsed = lane.link !== null
      const link = lane.link ?? (await open(lane))
      try {
        if (!exclusive) link.asked()
        const worked = work(link, isUsed)
        if (unsent) sent(lane)
        unsent = false
        return await worked
      } catch (error) {
        if (isLost(error)) link.close()
        throw error
      } finally {
        if (!exclusive) link.answered()
      }
    } finally {
      if (unsent) sent(lane)
      leave(lane, exclusive)
    }
  }

  /** Connections that were cut while idle, with the server's restart, are no reason to refuse a read: each is used up. */
  const query = async <Row>(sql: string, ...parameters: readonly Parameter[]): Promise<Answer<Row>> => {
    for (let fresh = 0, used = 0; ; ) {
      let wasUsed = false
      try {
        return await using(false, (link, isUsed) => {
          wasUsed = isUsed
          return link.send<Row>(sql, parameters)
        })
      } catch (error) {
        if (wasUsed) used++
        else fresh++
        if (!isLost(error) || fresh > 1 || used > size) throw error
      }
    }
  }

  return {
    mostExclusive,
    patience,
    query,
    exclusively: (work) => using(true, work),
    async close(timeout) {
      const idle = taken === 0 && lanes.every(({ sharing }) => sharing === 0)
      const { promise, resolve } = Promise.withResolvers<void>()
      closing = resolve
      const timer = Number.isFinite(timeout) ? setTimeout(resolve, timeout) : null
      if (!idle) await promise
      if (timer !== null) clearTimeout(timer)
      if (watching !== null) clearInterval(watching)
      for (const { link } of lanes) link?.close()
    },
  }
}
