import { processorTime, type Server } from '../support/process.ts'
import { type Connection, openConnection, type RawAnswer } from './connection.ts'

/** So many connections, closed at the end of the scope that holds them by `using`. */
export const crowd = async (
  url: string,
  size: number,
): Promise<Disposable & { readonly all: readonly Connection[] }> => {
  const all = await Promise.all(Array.from({ length: size }, () => openConnection(url)))
  return {
    all,
    [Symbol.dispose]: () => {
      for (const each of all) each[Symbol.dispose]()
    },
  }
}

/** The text of a request, with a token. */
export const request = (method: string, path: string, token: string, headers = '', body = '') =>
  `${method} /api/v1${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n${headers}\r\n${body}`

/** The headers and the text of a JSON body. */
export const json = (body: object) => {
  const text = JSON.stringify(body)
  return [`Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`, text] as const
}

/** Sends the same requests over every connection at once, one after another on each, and answers all that came back. */
export const flood = async (connections: readonly Connection[], requests: readonly string[]) => {
  const answers = await Promise.all(
    connections.map(async (connection) => {
      const mine: (RawAnswer | null)[] = []
      for (const each of requests) {
        connection.send(each)
        mine.push(await connection.answer())
      }
      return mine
    }),
  )
  return answers.flat()
}

interface Demand {
  readonly count: number
  /** As many as are answered unless told. */
  readonly perSecond?: number
}

/** Sends requests in turn as they come due; one that is due while no connection is free waits for the next that is. */
export const offer = async (
  skep: Server,
  connections: readonly Connection[],
  requests: readonly string[],
  { count, perSecond = Number.POSITIVE_INFINITY }: Demand,
) => {
  const answers: (RawAnswer | null)[] = []
  const [from, used] = [performance.now(), processorTime(skep.pid)]
  let next = 0
  const take = async (connection: Connection) => {
    while (next < count) {
      const index = next++
      const early = (index / perSecond) * 1_000 - (performance.now() - from)
      if (early > 0) await Bun.sleep(early)
      connection.send(requests[index % requests.length] ?? '')
      answers.push(await connection.answer())
    }
  }
  await Promise.all(connections.map(take))
  const succeeded = answers.filter((answer) => answer?.status === 200 || answer?.status === 201).length
  return {
    answers,
    succeeded,
    perSecond: count / ((performance.now() - from) / 1_000),
    /** Seconds of the server's processor time for each success. */
    cost: (processorTime(skep.pid) - used) / succeeded,
  }
}

export const statusesOf = (answers: readonly (RawAnswer | null)[]) =>
  new Set(answers.map((answer) => answer?.status ?? 0))

export const waitsSaid = (answers: readonly (RawAnswer | null)[], status: number) =>
  answers.filter((answer) => answer?.status === status).map((answer) => Number(answer?.header('retry-after')))
