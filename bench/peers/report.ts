import { type Static, Type } from '@sinclair/typebox'
import { escapeXml, renderSvg } from '../lib/svg.ts'
import { digits } from '../lib/table.ts'
import { SUBJECT } from './samples.ts'

const Numbers = Type.Record(Type.String(), Type.Number())

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
  figures: Type.Array(
    Type.Object({
      case: Type.String(),
      name: Type.String(),
      unit: Type.String(),
      values: Numbers,
      ahead: Numbers,
    }),
  ),
  floors: Type.Object({
    syncP50: Type.Number(),
    syncP99: Type.Number(),
    verifiesPerSecond: Type.Number(),
    // Results of earlier versions lack these.
    bareStart: Type.Optional(Type.Number()),
    runtimeSize: Type.Optional(Type.Number()),
  }),
})
export type PeersResult = Static<typeof PeersResult>

type Figure = PeersResult['figures'][number]

/** Below this a peer is ahead by more than two rounds of the same thing differ. */
const LEVEL_RATIO = 0.95

const textOf = ({ values, unit }: Figure, peer: string): string => {
  const value = values[peer]
  return value === undefined ? '' : `${digits(value)} ${unit}`.trim()
}

const rowsOf = ({ figures, peers }: PeersResult, mark: (text: string) => string): readonly (readonly string[])[] => {
  const names = peers.map(({ name }) => name)
  const cell = (figure: Figure, peer: string): string => {
    const ahead = figure.ahead[peer]
    if (ahead === undefined) return textOf(figure, peer)
    const text = `${textOf(figure, peer)} (${ahead.toFixed(2)})`
    return ahead < LEVEL_RATIO ? mark(text) : text
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

const describeFloors = ({ floors }: PeersResult): string => {
  const { syncP50, syncP99, verifiesPerSecond, bareStart, runtimeSize } = floors
  return (
    `After the rounds, on the same core and disk, a write of 4 kB and its sync take ${syncP50.toFixed(2)} ms (p99 ${syncP99.toFixed(2)} ms), ` +
    `and \`Bun.password.verify\` alone, with Skep's parameters, verifies ${verifiesPerSecond.toFixed(0)} passwords/s.` +
    (bareStart === undefined ? '' : ` Bun alone starts, answers one request and ends in ${bareStart.toFixed(0)} ms.`) +
    (runtimeSize === undefined ? '' : ` Its program has ${runtimeSize.toFixed(0)} MB.`)
  )
}

const NO_DUTIES = 'Elysia and Fastify have no rules, limits, log, request ids, history or metrics'

/** Why a peer may be ahead in a case: a floor, or that nothing explains it yet. */
const REASONS: Readonly<Record<string, string>> = {
  read: `${NO_DUTIES}; what these cost is measured in \`read-item-duties\`.`,
  'list with total': `${NO_DUTIES}; floor: \`collection-lists-duties\`.`,
  list: `${NO_DUTIES}; floor: \`collection-lists-duties\`.`,
  filter: `${NO_DUTIES}, and have the condition as SQL in the program; floor: \`collection-lists-duties\`.`,
  create: `The promises differ, as the last table shows, and ${NO_DUTIES}; floor: \`create-item-duties\`.`,
  'lone create':
    'Floor: the sync of the disk, for which peers other than FastAPI do not wait, and `create-item-duties` with one connection.',
  'sign-in': 'Floor: the hash, whose parameters differ; compare only with equal ones in the last table.',
  realtime:
    'Skep sends an event once it is on the disk, to those whom a rule lets see it: the row of lone creates is part of it.',
  'fan-out':
    'As for one subscriber; and Skep gathers events for many sockets before it writes to them, which lets others in sooner under load (`commit-to-receive`).',
  start: 'Floor: the start of Bun alone, for the part that it explains; the rest is loading and making the routes.',
  memory: 'Skep has the heap and the code of all its parts in memory; no floor shows all of the distance.',
  size: 'Floor: the runtime, which is in the file.',
}

/** For each case in which a peer is ahead: who, by how much in which figure, and why. */
const describeBehind = ({ figures, peers }: PeersResult): readonly string[] =>
  [...new Set(figures.map((figure) => figure.case))].flatMap((of) => {
    const behind = peers.flatMap(({ name: peer }) => {
      const rows = figures.filter((figure) => figure.case === of && (figure.ahead[peer] ?? 1) < LEVEL_RATIO)
      const texts = rows.map(({ name, ahead }) => `${name} ${(ahead[peer] ?? 1).toFixed(2)}`)
      return rows.length === 0 ? [] : [`${peer} (${texts.join(', ')})`]
    })
    return behind.length === 0 ? [] : [`- **${of}**: ${behind.join('; ')}. ${REASONS[of] ?? ''}`.trimEnd()]
  })

/** A table of text for a terminal. */
export const renderText = (result: PeersResult): string => {
  const rows = rowsOf(result, (text) => `*${text}`)
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [...lines, '', '* the peer is ahead', describeFloors(result)].join('\n')
}

/** The section of the documentation. */
export const renderPeers = (result: PeersResult): string => {
  const { date, machine, versions, settings, peers, skipped } = result
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const [head = [], ...rows] = rowsOf(result, (text) => `**${text}**`)
  const promise = (title: string, of: 'create' | 'hash' | 'list') =>
    line([title, ...peers.map(({ promises }) => promises[of])])
  const system = machine.system.split(' ', 2).join(' ')
  return [
    `${date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores, ${machine.memory_gb} GB, ${system}; ` +
      `commit ${versions.commit}, bun ${versions.bun}, wrk ${versions.wrk}; ` +
      `${peers.map(({ name, version }) => `${name} ${version}`).join(', ')}. ` +
      `${settings.rounds} rounds of ${settings.seconds} s, ${settings.connections} connections, ${settings.records} notes.`,
    ...skipped.map(({ name, reason }) => `Skipped: ${name}, ${reason.split('\n', 1)[0]}.`),
    '',
    line(head),
    `|---|---|${peers.map(() => '---:|').join('')}`,
    ...rows.map(line),
    '',
    `In parentheses: how far Skep is ahead, the median of the ratios within a round; **bold** where the peer is ahead. ${describeFloors(result)}`,
    '',
    line(['', ...peers.map(({ name }) => name)]),
    `|---|${peers.map(() => '---|').join('')}`,
    promise('an answered create is', 'create'),
    promise('a sign-in hashes with', 'hash'),
    promise('a list', 'list'),
    '',
    '**Where a peer is ahead**, how far Skep gets of it, and why:',
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
  const compared = figures.filter(({ ahead }) => Object.keys(ahead).length > 0)
  const others = peers.map(({ name }) => name).filter((name) => name !== SUBJECT)
  const ratios = compared.flatMap(({ ahead }) => Object.values(ahead))
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
