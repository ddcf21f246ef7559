import type { Delivery } from '../../application/replaying.ts'
import type { Collection } from '../../domain/collection.ts'
import type { LoggedEvent } from '../../domain/event.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { formatCursor } from './frames.ts'

/** The subject of an event, as the REST interface shows it. */
export type ToBody = (event: LoggedEvent) => object

/** A record, as the REST interface shows it. */
export type ToRecordBody = (collection: Collection, record: StoredRecord) => object

/** Encodes what subscribers are sent. */
export interface Encoder {
  /** The common parts of frames of different topics and positions are encoded once. */
  encode(delivery: Delivery, topic: string): string
}

interface Deps {
  readonly epoch: () => string
  readonly toBody: ToBody
  readonly toRecordBody: ToRecordBody
}

type Answer = Delivery['answer']

export const createEncoder = ({ epoch, toBody, toRecordBody }: Deps): Encoder => {
  const endings = new WeakMap<Answer, string>()

  const contentOf = (answer: Answer): object => {
    switch (answer.kind) {
      case 'logged':
        return { event: answer.event.event, data: toBody(answer.event) }
      case 'record':
        return { event: answer.event, data: toRecordBody(answer.collection, answer.record) }
      case 'left':
        return { event: answer.event, data: { id: answer.id } }
      case 'gap':
        return { gap: true }
    }
  }

  /** The end of a frame, from its content on. */
  const endingOf = (answer: Answer): string => {
    const known = endings.get(answer)
    if (known !== undefined) return known
    const ending = `,${JSON.stringify(contentOf(answer)).slice(1)}`
    endings.set(answer, ending)
    return ending
  }

  return {
    encode({ answer, position }, topic) {
      const type = answer.kind === 'gap' ? 'subscribed' : 'event'
      const cursor = formatCursor({ epoch: epoch(), position })
      return JSON.stringify({ type, topic, cursor }).slice(0, -1) + endingOf(answer)
    },
  }
}
