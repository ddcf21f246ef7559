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

/** Light and dark; blue, orange and green stay apart for the colour-blind too. */
const STYLE = `
  svg { --ground: #fff; --text: #1f2328; --faint: #59636e; --grid: #d8dee4; --s0: #0969da; --s1: #bc4c00; --s2: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #0d1117; --text: #e6edf3; --faint: #9198a1; --grid: #30363d; --s0: #58a6ff; --s1: #f0883e; --s2: #3fb950 }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--text) }
  .title { font-size: 15px; font-weight: 600 }
  .tick { fill: var(--faint); font-size: 11px }
  .ground { fill: var(--ground) }
  .grid { stroke: var(--grid); stroke-width: 1 }
  .line { fill: none; stroke-width: 1.6; stroke-linejoin: round }
  ${[0, 1, 2].map((index) => `.s${index} { stroke: var(--s${index}) } .s${index}:is(text, tspan) { stroke: none; fill: var(--s${index}) }`).join('\n  ')}
`

const escapeXml = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0) ?? 0};`)

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

/** The plot as SVG: no script, no font, no reference to anything outside; legible on light and on dark ground. */
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
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeXml(title)}">
<style>${STYLE}</style>
<rect class="ground" width="${WIDTH}" height="${height}"/>
<text class="title" x="${LEFT}" y="22">${escapeXml(title)}</text>
${panels.map(draw).join('\n')}
${marks.join('')}<text class="tick" x="${right}" y="${foot + 30}" text-anchor="end">${escapeXml(x)}</text>
</svg>
`
}
