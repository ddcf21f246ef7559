import type { Bar, Figure } from './case.ts'
import { meetsBar } from './case.ts'
import { escapeXml, renderSvg } from './svg.ts'
import { digits, type NamedResult } from './table.ts'

const WIDTH = 760
const LEFT = 300
const RIGHT = 130
const TOP = 40
const HEAD = 34
const ROW = 22
const THICK = 12
const MARGIN = 16

const STYLE = `  .met { fill: var(--s0) }
  .missed { fill: var(--s1) }
  .mark { stroke: var(--text); stroke-width: 2 }
`

interface Row {
  readonly name: string
  readonly length: number
  /** Where it must reach, or must not reach beyond. */
  readonly mark: number
  readonly label: string
  readonly met: boolean
}

interface Group {
  readonly head: string
  readonly to: number
  readonly rows: readonly Row[]
}

type Barred = Figure & { readonly bar: Bar }

/** How much of a limit is used: 1 is all of it, and less is better whichever way the limit lies. */
const usedOf = ({ bar: { atLeast, atMost }, value }: Barred): number =>
  atMost === undefined ? (atLeast ?? Number.NaN) / value : value / atMost

const rowOf = (name: string, figure: Barred): Row => {
  const { bar, value, ratio = Number.NaN, unit } = figure
  const isRatio = bar.of === 'ratio'
  const sign = bar.atLeast === undefined ? '≤' : '≥'
  const limit = digits(bar.atLeast ?? bar.atMost ?? Number.NaN)
  const measured = isRatio ? ratio.toFixed(2) : digits(value)
  return {
    name: `${name}: ${figure.name}`,
    length: isRatio ? ratio : usedOf(figure),
    mark: isRatio ? (bar.atLeast ?? bar.atMost ?? Number.NaN) : 1,
    label: `${measured} (${sign} ${limit} ${unit && !isRatio ? unit : ''}`.trim().concat(')'),
    met: meetsBar(figure) === true,
  }
}

const groupOf = (head: string, rows: readonly Row[], most: number): Group => ({
  head,
  // What lies far beyond is cut off; its label still tells.
  to: Math.min(most, Math.max(1, ...rows.flatMap(({ length, mark }) => [length, mark]))),
  rows,
})

/** Every figure that has a bar, as a beam with a mark where the bar is: first what is held against a floor or another run, then limits. */
export const renderBars = (title: string, results: readonly NamedResult[]): string => {
  const barred = results.flatMap(({ name, result }) =>
    result.figures.flatMap((figure) => {
      const { bar } = figure
      return bar === undefined ? [] : [{ of: bar.of, row: rowOf(name, { ...figure, bar }) }]
    }),
  )
  const rowsBy = (of: Bar['of']) => barred.filter((each) => each.of === of).map(({ row }) => row)
  const groups = [
    groupOf(
      'ratio to the floor, or to one process, or to no changes: the mark is the least asked for',
      rowsBy('ratio'),
      2,
    ),
    groupOf('part of a limit that is used: the mark is all of it, less is better', rowsBy('value'), 1.5),
  ].filter(({ rows }) => rows.length > 0)

  const right = WIDTH - RIGHT
  let y = TOP
  const drawn = groups.map(({ head, to, rows }) => {
    const across = (value: number) => (LEFT + (Math.min(value, to) / to) * (right - LEFT)).toFixed(1)
    const top = y + HEAD
    const bottom = top + rows.length * ROW
    const grid = [0, 0.5, 1, 1.5, 2]
      .filter((at) => at <= to)
      .map(
        (at) =>
          `<line class="grid" x1="${across(at)}" x2="${across(at)}" y1="${top - 4}" y2="${bottom}"/>` +
          `<text class="tick" x="${across(at)}" y="${bottom + 14}" text-anchor="middle">${at}</text>`,
      )
    const beams = rows.map(({ name, length, mark, label, met }, index) => {
      const from = top + index * ROW + (ROW - THICK) / 2
      const base = from + THICK - 2
      return (
        `<text x="${LEFT - 10}" y="${base}" text-anchor="end">${escapeXml(name)}</text>` +
        `<rect class="${met ? 'met' : 'missed'}" x="${LEFT}" y="${from}" width="${(Number(across(length)) - LEFT).toFixed(1)}" height="${THICK}" rx="2"/>` +
        `<line class="mark" x1="${across(mark)}" x2="${across(mark)}" y1="${from - 3}" y2="${from + THICK + 3}"/>` +
        `<text x="${right + 10}" y="${base}">${escapeXml(label)}</text>`
      )
    })
    y = bottom + 20
    return `<text class="tick" x="${MARGIN}" y="${top - 14}">${escapeXml(head)}</text>${grid.join('')}${beams.join('\n')}`
  })
  const legend =
    `<rect class="met" x="${right - 130}" y="12" width="10" height="10" rx="2"/><text class="tick" x="${right - 115}" y="21">met</text>` +
    `<rect class="missed" x="${right - 80}" y="12" width="10" height="10" rx="2"/><text class="tick" x="${right - 65}" y="21">not met</text>`
  return renderSvg({
    title,
    width: WIDTH,
    height: y + MARGIN,
    left: MARGIN,
    style: STYLE,
    body: `${legend}\n${drawn.join('\n')}`,
  })
}
