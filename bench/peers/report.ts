import { type Static, Type } from '@sinclair/typebox'
import { escapeXml, renderSvg } from '../lib/svg.ts'
import { digits } from '../lib/table.ts'
import { FLOOR, SUBJECT } from './samples.ts'

const Numbers = Type.Record(Type.String(), Type.Number())

const Figures = Type.Array(
  Type.Object({ case: Type.String(), name: Type.String(), unit: Type.String(), values: Numbers, ahead: Numbers }),
)

/** What `bench/peers/run.ts` writes, as far as it is reported. */
export const PeersResult = Type.Object({
  kind: Type.Literal('peers'),
  date: Type.String(),
  machine: Type.Object({ cpu: Type.String(), cores: Type.Number(), memory_gb: Type.Number(), system: Type.String() }),
  versions: Type.Record(Type.String(), Type.String()),
  settings: Type.Object({
    rounds: Type.Number(),
    seconds: Type.Number(),
    connections: Type.Number(),
    records: Type.Number(),
  }),
  peers: Type.Array(
    Type.Object({
      name: Type.String(),
      version: Type.String(),
      promises: Type.Object({ create: Type.String(), hash: Type.String(), list: Type.String() }),
    }),
  ),
  skipped: Type.Array(Type.Object({ name: Type.String(), reason: Type.String() })),
  figures: Figures,
  floors: Type.Object({
    syncP50: Type.Number(),
    syncP99: Type.Number(),
    verifiesPerSecond: Type.Number(),
  }),
  // Missing unless start or memory was measured.
  programs: Type.Optional(Type.Object({ names: Type.Array(Type.String()), figures: Figures })),
})
export type PeersResult = Static<typeof PeersResult>

type Figure = PeersResult['figures'][number]

/** Below this a peer is ahead by more than two rounds of the same thing differ. */
const LEVEL_RATIO = 0.95

const textOf = ({ values, unit }: Figure, peer: string): string => {
  const value = values[peer]
  return value === undefined ? '' : `${digits(value)} ${unit}`.trim()
}

const rowsOf = (
  figures: PeersResult['figures'],
  names: readonly string[],
  mark: (text: string) => string,
): readonly (readonly string[])[] => {
  const cell = (figure: Figure, peer: string): string => {
    const ahead = figure.ahead[peer]
    if (ahead === undefined) return textOf(figure, peer)
    const text = `${textOf(figure, peer)} (${ahead.toFixed(2)})`
    return ahead < LEVEL_RATIO && peer !== FLOOR ? mark(text) : text
  }
  return [
    ['case', 'figure', ...names],
    ...figures.map((figure, index) => [
      figure.case === figures[index - 1]?.case ? '' : figure.case,
      figure.name,
      ...names.map((peer) => cell(figure, peer)),
    ]),
  ]
}

const hasFloor = ({ figures }: PeersResult): boolean => figures.some(({ values }) => values[FLOOR] !== undefined)

/** The table of the peers, with the raw server where it was measured. */
const peerRows = (result: PeersResult, mark: (text: string) => string) =>
  rowsOf(result.figures, [...result.peers.map(({ name }) => name), ...(hasFloor(result) ? [FLOOR] : [])], mark)

const programRows = ({ programs }: PeersResult) =>
  programs === undefined ? [] : rowsOf(programs.figures, programs.names, (text) => text)

const ABOUT_FLOOR =
  `\`${FLOOR}\` is an Elysia server with the duties of a create and no more: request id, limits, metrics and a line in the log, the token ` +
  'and the body checked, and the note, its index entry, its event, the usage and the number of notes on the disk before anybody sees them or hears of them; requests that wait for the disk share a sync.'

const ABOUT_PROGRAMS =
  'What a start, memory and size contain at least: `Bun` answers `/health` and does nothing else; `Elysia` also has CORS, JWT, Swagger and a socket; the last one also opens the database of Skep, with the same pragmas, and reads a row. All are compiled with the same options, and asked only for `/health`.'

const describeFloors = ({ floors: { syncP50, syncP99, verifiesPerSecond } }: PeersResult): string =>
  `After the rounds, on the same core and disk, a write of 4 kB and its sync take ${syncP50.toFixed(2)} ms (p99 ${syncP99.toFixed(2)} ms), ` +
  `and \`Bun.password.verify\` alone, with Skep's parameters, verifies ${verifiesPerSecond.toFixed(0)} passwords/s.`

const NO_DUTIES = 'Elysia and Fastify have no rules, limits, log, request ids, history or metrics'

/** Why a peer may be ahead in a case: a floor, or that nothing explains it yet. */
const REASONS: Readonly<Record<string, string>> = {
  read: `${NO_DUTIES}; what these cost is measured in \`read-item-duties\`.`,
  'list with total': `${NO_DUTIES}; floor: \`collection-lists-duties\`.`,
  list: `${NO_DUTIES}; floor: \`collection-lists-duties\`.`,
  filter: `${NO_DUTIES}, and have the condition as SQL in the program; floor: \`collection-lists-duties\`.`,
  create: `The promises differ, as the last table shows, and ${NO_DUTIES}; floor: the column \`${FLOOR}\`.`,
  'lone create': `Floor: the column \`${FLOOR}\`; peers other than FastAPI do not wait for the sync of the disk.`,
  'sign-in': 'Floor: the hash, whose parameters differ; compare only with equal ones in the last table.',
  realtime: `Floor: the column \`${FLOOR}\`. Skep sends an event once it is on the disk, to those whom a rule lets see it.`,
  'fan-out': `Floor: the column \`${FLOOR}\`; and Skep gathers events for many sockets before it writes to them, which lets others in sooner under load (\`commit-to-receive\`).`,
  start:
    'Floor: the programs without code of Skep, below the table; the rest is making its own routes and opening its own database.',
  memory:
    'Floor: the same programs, for the part that they explain; the rest is the heap and the code of its own parts.',
  size: 'Floor: the runtime, which is in the file of each of the same programs.',
}

/** `PEER (FIGURE RATIO, …)` for the figures that have a ratio to it; nothing if there are none. */
const ratiosTo = (peer: string, figures: PeersResult['figures']): readonly string[] => {
  const texts = figures.flatMap(({ name, ahead }) => {
    const ratio = ahead[peer]
    return ratio === undefined ? [] : [`${name} ${ratio.toFixed(2)}`]
  })
  return texts.length === 0 ? [] : [`${peer} (${texts.join(', ')})`]
}

/** How far the floor gets of a peer, in the figures in which it too is behind. */
const floorBehind = (peer: string, figures: PeersResult['figures']): readonly string[] => {
  const texts = figures.flatMap(({ name, ahead }) => {
    const [ofPeer, ofFloor] = [ahead[peer], ahead[FLOOR]]
    if (ofPeer === undefined || ofFloor === undefined || ofPeer / ofFloor >= LEVEL_RATIO) return []
    return [`${name} ${(ofPeer / ofFloor).toFixed(2)}`]
  })
  return texts.length === 0 ? [] : [`the floor itself beside ${peer}: ${texts.join(', ')}`]
}

/** For each case in which a peer is ahead: who, by how much in which figure, and why. */
const describeBehind = ({ figures, peers }: PeersResult): readonly string[] =>
  [...new Set(figures.map((figure) => figure.case))].flatMap((of) => {
    const rows = figures.filter((figure) => figure.case === of)
    const behind = peers.flatMap(({ name: peer }) =>
      ratiosTo(
        peer,
        rows.filter(({ ahead }) => (ahead[peer] ?? 1) < LEVEL_RATIO),
      ),
    )
    if (behind.length === 0) return []
    const floors = [...ratiosTo(FLOOR, rows), ...peers.flatMap(({ name: peer }) => floorBehind(peer, rows))]
    return [`- **${of}**: ${[...behind, ...floors].join('; ')}. ${REASONS[of] ?? ''}`.trimEnd()]
  })

const alignRows = (rows: readonly (readonly string[])[]): readonly string[] => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Tables of text for a terminal. */
export const renderText = (result: PeersResult): string => {
  const rows = alignRows(peerRows(result, (text) => `*${text}`))
  const programs = result.programs === undefined ? [] : ['', ...alignRows(programRows(result))]
  return [...rows, '', '* the peer is ahead', describeFloors(result), ...programs].join('\n')
}

const markdownLine = (cells: readonly string[]) => `| ${cells.join(' | ')} |`

const markdownTable = ([head = [], ...rows]: readonly (readonly string[])[]): readonly string[] => [
  markdownLine(head),
  `|---|---|${head
    .slice(2)
    .map(() => '---:|')
    .join('')}`,
  ...rows.map(markdownLine),
]

/** The section of the documentation. */
export const renderPeers = (result: PeersResult): string => {
  const { date, machine, versions, settings, peers, skipped } = result
  const promise = (title: string, of: 'create' | 'hash' | 'list') =>
    markdownLine([title, ...peers.map(({ promises }) => promises[of])])
  const system = machine.system.split(' ', 2).join(' ')
  return [
    `${date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores, ${machine.memory_gb} GB, ${system}; ` +
      `commit ${versions.commit}, bun ${versions.bun}, wrk ${versions.wrk}; ` +
      `${peers.map(({ name, version }) => `${name} ${version}`).join(', ')}. ` +
      `${settings.rounds} rounds of ${settings.seconds} s, ${settings.connections} connections, ${settings.records} notes.`,
    ...skipped.map(({ name, reason }) => `Skipped: ${name}, ${reason.split('\n', 1)[0]}.`),
    '',
    ...markdownTable(peerRows(result, (text) => `**${text}**`)),
    '',
    `In parentheses: how far Skep is ahead, the median of the ratios within a round; **bold** where the peer is ahead. ${describeFloors(result)}`,
    ...(hasFloor(result) ? ['', ABOUT_FLOOR] : []),
    '',
    ...(result.programs === undefined ? [] : [ABOUT_PROGRAMS, '', ...markdownTable(programRows(result)), '']),
    markdownLine(['', ...peers.map(({ name }) => name)]),
    `|---|${peers.map(() => '---|').join('')}`,
    promise('an answered create is', 'create'),
    promise('a sign-in hashes with', 'hash'),
    promise('a list', 'list'),
    '',
    `**Where a peer is ahead**, how far Skep gets of it${hasFloor(result) ? ' and of the floor' : ''}, and why:`,
    '',
    ...describeBehind(result),
  ].join('\n')
}

const WIDTH = 760
const LEFT = 200
const RIGHT = 24
const TOP = 62
const ROW = 22
const MARGIN = 16
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]

/** Five peers stay apart by form as well as by color. */
const SHAPES: readonly ((x: number, y: number) => string)[] = [
  (x, y) => `<circle class="p0" cx="${x}" cy="${y}" r="5"/>`,
  (x, y) => `<rect class="p1" x="${x - 4.5}" y="${y - 4.5}" width="9" height="9"/>`,
  (x, y) => `<path class="p2" d="M${x} ${y - 6}l6 10h-12z"/>`,
  (x, y) => `<path class="p3" d="M${x} ${y - 6}l6 6l-6 6l-6 -6z"/>`,
  (x, y) => `<path class="p4" d="M${x} ${y + 6}l6 -10h-12z"/>`,
]

const STYLE = `  .p0 { fill: var(--s0) } .p1 { fill: var(--s1) } .p2 { fill: var(--s2) } .p3 { fill: var(--faint) }
  .p4 { fill: var(--ground); stroke: var(--text); stroke-width: 1.5 }
  .even { stroke: var(--text); stroke-width: 1.5 }
`

/** How far Skep is ahead of each peer in each figure, on a logarithmic axis: left of 1 the peer is ahead. */
export const drawPeers = ({ figures, peers }: PeersResult): string => {
  const others = peers.map(({ name }) => name).filter((name) => name !== SUBJECT)
  const ratiosOf = ({ ahead }: Figure) => others.flatMap((peer) => ahead[peer] ?? [])
  const compared = figures.filter((figure) => ratiosOf(figure).length > 0)
  const ratios = compared.flatMap(ratiosOf)
  const from = Math.min(0.5, ...ratios) / 1.15
  const to = Math.max(2, ...ratios) * 1.15
  const right = WIDTH - RIGHT
  const across = (ratio: number) =>
    Number((LEFT + (Math.log(ratio / from) / Math.log(to / from)) * (right - LEFT)).toFixed(1))
  const bottom = TOP + compared.length * ROW
  const grid = TICKS.filter((tick) => tick >= from && tick <= to).map(
    (tick) =>
      `<line class="${tick === 1 ? 'even' : 'grid'}" x1="${across(tick)}" x2="${across(tick)}" y1="${TOP - 6}" y2="${bottom}"/>` +
      `<text class="tick" x="${across(tick)}" y="${bottom + 14}" text-anchor="middle">${tick}</text>`,
  )
  const rows = compared.map(({ case: of, name, ahead }, index) => {
    const y = TOP + index * ROW + ROW / 2
    const dots = others.flatMap((peer, number) => {
      const ratio = ahead[peer]
      return ratio === undefined ? [] : [SHAPES[number % SHAPES.length]?.(across(ratio), y) ?? '']
    })
    return `<text x="${LEFT - 10}" y="${y + 4}" text-anchor="end">${escapeXml(`${of}: ${name}`)}</text>${dots.join('')}`
  })
  const legend = others.map(
    (peer, number) =>
      `${SHAPES[number % SHAPES.length]?.(LEFT + number * 110, 42) ?? ''}<text class="tick" x="${LEFT + number * 110 + 10}" y="46">${escapeXml(peer)}</text>`,
  )
  return renderSvg({
    title: 'How many times better Skep is than each peer; left of 1 the peer is ahead',
    width: WIDTH,
    height: bottom + 24 + MARGIN,
    left: MARGIN,
    style: STYLE,
    body: [...legend, ...grid, ...rows].join('\n'),
  })
}
