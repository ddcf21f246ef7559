import uPlot from 'uplot'
import { KEPT_MS } from './overview-points.ts'

export interface ChartSpec {
  readonly host: HTMLElement
  readonly series: number
  /** The top of the scale if no value is higher. */
  readonly least: number
  readonly format: (value: number) => string
  /** Called with the index of the point under the pointer, null when it leaves. */
  readonly onPoint: (index: number | null) => void
}

/** Times in seconds, then the values of each series. */
export type ChartData = readonly [times: readonly number[], ...series: readonly (readonly (number | null)[])[]]

export interface Chart {
  update(data: ChartData): void
  destroy(): void
}

const HEIGHT_PX = 132
const AXIS_WIDTH_PX = 52
const LABEL_DISTANCE_PX = 34
/** Seconds between labels of the time. */
const TIME_STEPS = [60, 120, 300]
/** The shortest span that a chart shows, so that its first points do not fill it. */
const MIN_SPAN_SECONDS = 120

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** The second series is dashed, so that it is told from the first without colours, too. */
const seriesAt = (index: number): uPlot.Series => ({
  stroke: () => colour(index === 0 ? '--accent' : '--warn'),
  width: 1.5,
  points: { show: false },
  ...(index === 0 ? { fill: () => colour('--accent-page') } : { dash: [5, 3] }),
})

/** The charts grow with what is known, up to ten minutes. uPlot itself would make a day of a single point. */
const spanOf = (times: ArrayLike<number>): [first: number, latest: number] => {
  const latest = times[times.length - 1] ?? Date.now() / 1_000
  const known = latest - (times[0] ?? latest)
  return [latest - Math.min(KEPT_MS / 1_000, Math.max(MIN_SPAN_SECONDS, known)), latest]
}

const optionsOf = ({ host, series, least, format, onPoint }: ChartSpec): uPlot.Options => {
  const font = `11px ${getComputedStyle(document.body).fontFamily}`
  const axis = {
    stroke: () => colour('--quiet'),
    grid: { stroke: () => colour('--line'), width: 0.5 },
    ticks: { show: false },
    font,
  }
  return {
    width: host.clientWidth,
    height: HEIGHT_PX,
    // Room for half a label of the time.
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false }, points: { size: 7 } },
    scales: {
      x: { time: true, range: ({ data: [times] }) => spanOf(times) },
      y: { range: (_, __, most) => [0, Math.max(least, (most ?? 0) * 1.15)] },
    },
    axes: [
      { ...axis, size: 24, gap: 4, incrs: TIME_STEPS, values: '{HH}:{mm}' },
      { ...axis, size: AXIS_WIDTH_PX, gap: 6, space: LABEL_DISTANCE_PX, values: (_, splits) => splits.map(format) },
    ],
    series: [{}, ...Array.from({ length: series }, (_, index) => seriesAt(index))],
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)] },
  }
}

/** Draws a chart of the last ten minutes, as wide as its place and in the colours of the page. */
export const drawChart = (spec: ChartSpec): Chart => {
  const empty: uPlot.AlignedData = [[], ...Array.from({ length: spec.series }, () => [])]
  const plot = new uPlot(optionsOf(spec), empty, spec.host)
  const resizing = new ResizeObserver(() => plot.setSize({ width: spec.host.clientWidth, height: HEIGHT_PX }))
  resizing.observe(spec.host)
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const recolour = () => plot.redraw(false)
  dark.addEventListener('change', recolour)
  return {
    update: ([times, ...series]) => plot.setData([[...times], ...series.map((values) => [...values])]),
    destroy() {
      resizing.disconnect()
      dark.removeEventListener('change', recolour)
      plot.destroy()
    },
  }
}
