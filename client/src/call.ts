import type { Credentials } from './auth.ts'
import { isSkepError } from './errors.ts'
import { randomKey } from './platform.ts'
import type { Outgoing, Reply, RequestOptions, Send } from './transport.ts'

/** Sends requests as whoever is signed in. */
export interface Caller {
  call<T>(method: string, path: string, options?: RequestOptions): Promise<T>
  /** For a POST that creates something or changes something once: repeated until there is an answer. */
  once<T>(path: string, options?: RequestOptions, key?: string): Promise<T>
  reply(method: string, path: string, outgoing?: Outgoing): Promise<Reply>
}

export const createCaller = (send: Send, { token }: Pick<Credentials, 'token'>): Caller => {
  /** With a new token if the server no longer accepts ours. */
  const reply = async (method: string, path: string, outgoing: Outgoing = {}): Promise<Reply> => {
    const mine = await token()
    // A key belongs to a user: without one the server ignores it, and repeating would create twice.
    const key = mine === null ? undefined : outgoing.key
    try {
      return await send(method, path, { ...outgoing, key, token: mine })
    } catch (error) {
      if (mine === null || !isSkepError(error, 'invalid_token', 'unauthenticated')) throw error
      const next = await token(mine)
      if (next === null || next === mine) throw error
      return send(method, path, { ...outgoing, key, token: next })
    }
  }
  const call = async <T>(method: string, path: string, outgoing?: Outgoing): Promise<T> => {
    const { text } = await reply(method, path, outgoing)
    return JSON.parse(text === '' ? 'null' : text)
  }
  return { reply, call, once: (path, options, key = randomKey()) => call('POST', path, { ...options, key }) }
}
