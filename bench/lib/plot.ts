import { escapeXml, renderSvg } from './svg.ts'

/** Lines over one axis, drawn one panel below the other. */
export interface Plot {
  readonly title: string
  /** What the horizontal axis counts, with its unit. */
  readonly x: string
  readonly panels: readonly Panel[]
}

export interface Panel {
  /** What the vertical axis counts, with its unit. */
  readonly label: string
  readonly series: readonly Series[]
  /** The axis begins at 0 unless this is false. */
  readonly fromZero?: boolean
}

export interface Series {
  readonly name: string
  /** Null where there is no value. */
  readonly points: readonly (readonly [x: number, y: number | null])[]
}

const WIDTH = 760
const LEFT = 64
const RIGHT = 16
const TOP = 44
const PANEL = 120
const GAP = 40
const BOTTOM = 44
const TICKS = 4

const STYLE = `  .line { fill: none; stroke-width: 1.6; stroke-linejoin: round }
  ${[0, 1, 2].map((index) => `.s${index} { stroke: var(--s${index}) } .s${index}:is(text, tspan) { stroke: none; fill: var(--s${index}) }`).join('\n  ')}
`

/** A step of 1, 2 or 5 times a power of ten, so that about so many fit. */
const stepFor = (span: number, ticks: number): number => {
  const rough = span / ticks
  const power = 10 ** Math.floor(Math.log10(rough))
  return power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10)
}

interface Axis {
  readonly from: number
  readonly to: number
  readonly ticks: readonly number[]
}

const axisOf = (values: readonly number[], fromZero: boolean, whole: boolean): Axis => {
  const least = fromZero ? Math.min(0, ...values) : Math.min(...values)
  const most = Math.max(...values)
  const step = stepFor(most > least ? most - least : Math.max(Math.abs(most), 1), TICKS)
  const from = whole ? least : Math.floor(least / step) * step
  const to = whole ? most : Math.max(Math.ceil(most / step) * step, from + step)
  const first = Math.ceil(from / step)
  const count = Math.floor(to / step + 1e-9) - first + 1
  return { from, to, ticks: Array.from({ length: count }, (_, index) => (first + index) * step) }
}

const figure = (value: number): string => String(Number(value.toPrecision(6)))

/** The plot as SVG. */
export const renderPlot = ({ title, x, panels }: Plot): string => {
  const xs = panels.flatMap(({ series }) => series.flatMap(({ points }) => points.map(([at]) => at)))
  const horizontal = axisOf(xs.length > 0 ? xs : [0, 1], false, true)
  const span = horizontal.to - horizontal.from || 1
  const right = WIDTH - RIGHT
  const across = (at: number) => (LEFT + ((at - horizontal.from) / span) * (right - LEFT)).toFixed(1)
  const height = TOP + panels.length * (PANEL + GAP) + BOTTOM - GAP

  const draw = ({ label, series, fromZero = true }: Panel, index: number): string => {
    const top = TOP + index * (PANEL + GAP) + 8
    const values = series.flatMap(({ points }) => points.flatMap(([, y]) => (y === null ? [] : [y])))
    const vertical = axisOf(values.length > 0 ? values : [0], fromZero, false)
    const up = (y: number) => (top + PANEL - ((y - vertical.from) / (vertical.to - vertical.from)) * PANEL).toFixed(1)
    const grid = vertical.ticks.map(
      (y) =>
        `<line class="grid" x1="${LEFT}" x2="${right}" y1="${up(y)}" y2="${up(y)}"/>` +
        `<text class="tick" x="${LEFT - 8}" y="${Number(up(y)) + 4}" text-anchor="end">${figure(y)}</text>`,
    )
    const lines = series.map(({ points }, number) => {
      let pen = 'M'
      const path = points.map(([at, y]) => {
        if (y === null) {
          pen = 'M'
          return ''
        }
        const step = `${pen}${across(at)} ${up(y)}`
        pen = 'L'
        return step
      })
      return `<path class="line s${number % 3}" d="${path.join('')}"/>`
    })
    const names = series.map(({ name }, number) => `<tspan class="s${number % 3}" dx="10">${escapeXml(name)}</tspan>`)
    const legend = series.length > 1 ? names.join('') : ''
    return `<text x="${LEFT}" y="${top - 8}">${escapeXml(label)}${legend}</text>${grid.join('')}${lines.join('')}`
  }

  const foot = height - BOTTOM + 8
  const marks = horizontal.ticks.map(
    (at) => `<text class="tick" x="${across(at)}" y="${foot + 14}" text-anchor="middle">${figure(at)}</text>`,
  )
  const body = `${panels.map(draw).join('\n')}
${marks.join('')}<text class="tick" x="${right}" y="${foot + 30}" text-anchor="end">${escapeXml(x)}</text>`
  return renderSvg({ title, width: WIDTH, height, left: LEFT, style: STYLE, body })
}
