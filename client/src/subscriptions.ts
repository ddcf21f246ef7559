import { type Connection, type ConnectionOptions, createConnection, type Subscriber } from './connection.ts'

/** Fewer than a server allows, because subscribing to all takes a frame each. */
const MAX_SUBSCRIPTIONS_COUNT = 50

export interface Subscriptions {
  /** Returns a function that ends the subscription. */
  add(subscriber: Subscriber, after?: string): () => void
  close(): void
}

/**
 * Shares one socket. A connection has one subscription to each topic, so a second one to the same topic, with another
 * filter, takes another socket.
 */
export const createSubscriptions = (options: ConnectionOptions): Subscriptions => {
  const connections: Connection[] = []
  return {
    add(subscriber, after) {
      const hasRoom = (each: Connection) => !each.has(subscriber.topic) && each.size() < MAX_SUBSCRIPTIONS_COUNT
      let connection = connections.find(hasRoom)
      if (connection === undefined) {
        connection = createConnection(options)
        connections.push(connection)
      }
      const chosen = connection
      const subscription = { subscriber, cursor: after ?? null, seen: new Set<string>(), ref: '', isActive: false }
      chosen.add(subscription)
      return () => chosen.remove(subscription)
    },
    close() {
      for (const connection of connections.splice(0)) connection.close()
    },
  }
}
