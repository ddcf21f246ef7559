import type { CommitSignal } from '../../application/ports/messaging.ts'

/** One end of a channel between two threads. Messages arrive, in order, unless the other thread has ended. */
export interface Port {
  post(message: Message): void
  listen(listener: (message: Message) => void): void
}

/** What the threads of a process ask each other, and the answers. */
export interface Questions {
  /** The rights of a user may have changed. */
  readonly access: { readonly asked: number; readonly answer: null }
  /** Whether a user may have another socket, of which there may be `limit`. */
  readonly socket: { readonly asked: { readonly userId: number; readonly limit: number }; readonly answer: boolean }
  /** What a thread has counted. */
  readonly samples: { readonly asked: null; readonly answer: unknown }
  /** What all threads have counted, asked by one that tells what it has counted itself. */
  readonly totals: { readonly asked: unknown; readonly answer: unknown }
}

/** What they tell each other. */
export interface Statements {
  readonly signals: readonly CommitSignal[]
  /** A socket of this user has closed. */
  readonly closedSocket: number
}

type Question = keyof Questions
type Statement = keyof Statements

export type Message =
  | { readonly type: 'question'; readonly id: number; readonly name: Question; readonly content: unknown }
  | { readonly type: 'answer'; readonly id: number; readonly content: unknown }
  | { readonly type: 'statement'; readonly name: Statement; readonly content: unknown }

/** What a thread does with the messages of another one. */
export interface Handlers {
  readonly questions: {
    readonly [Name in Question]: (
      asked: Questions[Name]['asked'],
    ) => Questions[Name]['answer'] | Promise<Questions[Name]['answer']>
  }
  readonly statements: { readonly [Name in Statement]: (content: Statements[Name]) => void }
}

/** The other thread of a channel. */
export interface Peer {
  /** Null if the other thread has ended, or cannot answer. */
  ask<Name extends Question>(name: Name, asked: Questions[Name]['asked']): Promise<Questions[Name]['answer'] | null>
  tell<Name extends Statement>(name: Name, content: Statements[Name]): void
  /** Call it when the other thread has ended. */
  end(): void
}

export const createPeer = (port: Port, handlers: Handlers): Peer => {
  const waiting = new Map<number, (content: unknown) => void>()
  let lastId = 0
  let hasEnded = false

  const answer = async (id: number, name: Question, content: unknown): Promise<void> => {
    const handle = handlers.questions[name] as (asked: unknown) => unknown
    const given = await Promise.resolve(handle(content)).catch(() => null)
    if (!hasEnded) port.post({ type: 'answer', id, content: given })
  }

  port.listen((message) => {
    // Messages that it sent before it ended may still arrive.
    if (hasEnded) return
    if (message.type === 'question') void answer(message.id, message.name, message.content)
    else if (message.type === 'statement') {
      const handle = handlers.statements[message.name] as (content: unknown) => void
      handle(message.content)
    } else if (message.type === 'answer') {
      waiting.get(message.id)?.(message.content)
      waiting.delete(message.id)
    }
  })

  return {
    ask<Name extends Question>(name: Name, content: Questions[Name]['asked']) {
      if (hasEnded) return Promise.resolve(null)
      return new Promise<Questions[Name]['answer'] | null>((resolve) => {
        const id = ++lastId
        waiting.set(id, resolve as (content: unknown) => void)
        port.post({ type: 'question', id, name, content })
      })
    },
    tell(name, content) {
      if (!hasEnded) port.post({ type: 'statement', name, content })
    },
    end() {
      hasEnded = true
      for (const resolve of waiting.values()) resolve(null)
      waiting.clear()
    },
  }
}
