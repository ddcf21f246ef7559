import type { Context } from '../lib/case.ts'
import { startLoad } from '../lib/load.ts'
import { noteDraft } from '../lib/notes.ts'
import { measure } from '../lib/rounds.ts'
import type { NotesLiveInput, NotesLiveReport } from '../loads/notes-live.ts'
import { READER, WRITER } from './accounts.ts'
import {
  type Account,
  type Credentials,
  type Installed,
  type Peer,
  posting,
  type Running,
  send,
  startPeer,
} from './peer.ts'
import { sampleSize, sampleStart, sampleWorkingMemory } from './programs.ts'
import type { Samples } from './samples.ts'

/** A peer that runs, with an account that has many notes and one that creates. */
export interface Subject {
  readonly peer: Peer
  readonly installed: Installed
  readonly folder: string
  readonly running: Running
  readonly reader: Account
  readonly readerCredentials: Credentials
  readonly writer: Account
  /** Paths of some notes of the reader. */
  readonly notes: readonly string[]
}

export interface Case {
  readonly name: string
  readonly about: string
  /** Whether what comes first is to be thrown away. */
  readonly warms: boolean
  /** Whether the raw server that creates notes takes part. */
  readonly hasFloor: boolean
  /** One round of one peer. */
  round(context: Context, subject: Subject, samples: Samples): Promise<void>
}

const READ_NOTES_COUNT = 100
const MAX_CONCURRENT_COUNT = 4
/** A peer that needs longer to get its notes would take the time of all others. */
const MAX_FILL_MS = 150_000
/** Of no note that is there at first. */
const NEW_PRICE = 2_000
const CHEAP_PRICE = 50
const SIGN_INS_CONNECTIONS_COUNT = 4
/** Of 64 MiB each, few are answered in a second. */
const MIN_SIGN_INS_SECONDS = 5
const TIMEOUT_SECONDS = 30
const FANS_COUNT = 100
const EVENTS_PER_SECOND = 50

const enrol = async (running: Running, { api }: Peer, credentials: Credentials): Promise<Account> => {
  await api.signUp(running.url, credentials)
  return api.accountOf(await send(running.url, api.signIn(credentials)))
}

/** Creates the reader's notes over HTTP, like anyone; answers the paths of some. */
const fill = async (running: Running, { api }: Peer, reader: Account, count: number): Promise<readonly string[]> => {
  const paths: string[] = []
  const from = performance.now()
  let made = 0
  const one = async () => {
    for (let n = made++; n < count; n = made++) {
      if (performance.now() - from > MAX_FILL_MS)
        throw new Error(`${count} notes take longer than ${MAX_FILL_MS / 1e3} s`)
      const body = api.draftOf(noteDraft(n), reader)
      const id = api.idOf(await send(running.url, posting(api.notes, body, reader.token)))
      if (paths.length < READ_NOTES_COUNT) paths.push(`${api.notes.replace(/\/$/, '')}/${id}`)
    }
  }
  await Promise.all(Array.from({ length: MAX_CONCURRENT_COUNT }, one))
  return paths
}

/** Starts a peer with `count` notes. Rejects when its lists do not have them. */
export const startSubject = async (
  { cores, folder: newFolder, settings }: Context,
  peer: Peer,
  installed: Installed,
): Promise<Subject> => {
  const folder = newFolder()
  const { api, name } = peer
  await installed.prepare?.(folder)
  const running = await startPeer(peer, installed, { folder, core: cores.server })
  try {
    await installed.define?.(running.url)
    const reader = await enrol(running, peer, READER)
    const writer = await enrol(running, peer, WRITER)
    const notes = await fill(running, peer, reader, settings.records)
    const headers = { authorization: `Bearer ${reader.token}` }
    const total = api.totalOf(await send(running.url, { path: api.list(true), headers }))
    if (total !== settings.records) throw new Error(`${name} lists ${total} notes instead of ${settings.records}`)
    return { peer, installed, folder, running, reader, readerCredentials: READER, writer, notes }
  } catch (error) {
    // One that cannot be measured must not take time from the others.
    await running.stop().catch(() => {})
    throw error
  }
}

/** A case that wrk measures, as fast as the peer answers. */
const byWrk = (
  name: string,
  about: string,
  ask: (subject: Subject) => Omit<Parameters<typeof measure>[1], 'pid' | 'url'> & { readonly path: string },
  {
    connections,
    minSeconds = 0,
    hasFloor = false,
  }: { readonly connections?: number; readonly minSeconds?: number; readonly hasFloor?: boolean } = {},
): Case => ({
  name,
  about,
  warms: true,
  hasFloor,
  async round(context, subject, samples) {
    const { path, ...load } = ask(subject)
    const { pid, url } = subject.running
    const seconds = Math.max(minSeconds, context.settings.seconds)
    const settings = { ...context.settings, connections: connections ?? context.settings.connections }
    const result = await measure(
      { ...context, settings },
      { ...load, pid, url: url + path, timeoutSeconds: TIMEOUT_SECONDS },
      seconds,
    )
    const add = (figure: string, unit: string, better: 'more' | 'less', value: number) =>
      samples.add({ case: name, name: figure, unit, better }, subject.peer.name, value)
    if (connections === 1) {
      add('p50', 'ms', 'less', result.p50)
      add('p99', 'ms', 'less', result.p99)
    } else add('requests/s', '', 'more', result.requestsPerSecond)
    add('CPU/request', 'µs', 'less', result.cpuPerRequest)
  },
})

const signedIn = ({ reader }: Subject) => ({ headers: { authorization: `Bearer ${reader.token}` } })

const creation = ({ peer: { api }, writer }: Subject) => {
  const { path, ...request } = posting(
    api.notes,
    api.draftOf({ ...noteDraft(0), title: 'Oak table {n}', price: NEW_PRICE }, writer),
    writer.token,
  )
  return { path, ...request }
}

const live = (name: string, about: string, subscribers: number): Case => ({
  name,
  about,
  warms: true,
  hasFloor: true,
  async round({ cores, settings }, { peer, running, writer }, samples) {
    const { api } = peer
    if (api.live === null) return
    const input: NotesLiveInput = {
      url: running.url,
      kind: api.live,
      token: writer.token,
      create: {
        path: api.notes,
        body: JSON.stringify(api.draftOf({ ...noteDraft(0), title: '{n}', price: NEW_PRICE }, writer)),
      },
      subscribers,
      perSecond: EVENTS_PER_SECOND,
      seconds: settings.seconds,
    }
    const { seconds } = settings
    const { p50, p99 } = await startLoad<NotesLiveReport>('notes-live', input, { core: cores.load, seconds }).report
    samples.add({ case: name, name: 'p50', unit: 'ms', better: 'less' }, peer.name, p50)
    samples.add({ case: name, name: 'p99', unit: 'ms', better: 'less' }, peer.name, p99)
  },
})

const START: Case = {
  name: 'start',
  about: 'from starting the process to the first answer, with data; memory before anybody asks',
  warms: false,
  hasFloor: false,
  async round({ folder }, { peer, installed }, samples) {
    const home = folder()
    await installed.prepare?.(home)
    const warm = await startPeer(peer, installed, { folder: home, core: null })
    await warm.stop()
    await sampleStart({ peer, installed }, home, samples)
  },
}

const MEMORY: Case = {
  name: 'memory',
  about: 'resident memory at the end of the other cases; size of what has to be deployed',
  warms: false,
  hasFloor: false,
  async round(_, subject, samples) {
    sampleWorkingMemory(subject, subject.running, samples)
    sampleSize(subject, samples)
  },
}

/** In the order in which they are measured; creates come after what reads. */
export const CASES: readonly Case[] = [
  byWrk('read', 'a note by id, 100 in turn', (subject) => ({
    ...signedIn(subject),
    path: subject.notes[0] ?? '',
    paths: subject.notes,
  })),
  byWrk('list with total', 'the newest 20 of one’s notes and their number', (subject) => ({
    ...signedIn(subject),
    path: subject.peer.api.list(true),
  })),
  byWrk('list', 'the newest 20 of one’s notes', (subject) => ({
    ...signedIn(subject),
    path: subject.peer.api.list(false),
  })),
  byWrk('filter', 'the cheapest 20 of one’s notes below a price', (subject) => ({
    ...signedIn(subject),
    path: subject.peer.api.cheaperThan(CHEAP_PRICE),
  })),
  byWrk('create', 'a note', creation, { hasFloor: true }),
  byWrk('lone create', 'a note, one at a time', creation, { connections: 1, hasFloor: true }),
  byWrk(
    'sign-in',
    `by password, ${SIGN_INS_CONNECTIONS_COUNT} at a time`,
    ({ peer, readerCredentials }) => peer.api.signIn(readerCredentials),
    { connections: SIGN_INS_CONNECTIONS_COUNT, minSeconds: MIN_SIGN_INS_SECONDS },
  ),
  live('realtime', `one subscriber, ${EVENTS_PER_SECOND} creates/s`, 1),
  live('fan-out', `${FANS_COUNT} subscribers, ${EVENTS_PER_SECOND} creates/s`, FANS_COUNT),
  START,
  MEMORY,
]
