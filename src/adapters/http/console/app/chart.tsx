import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { Chart } from './chart-drawing.ts'

interface Line {
  readonly label: string
  readonly values: readonly (number | null)[]
}

interface ChartProps {
  readonly title: string
  /** What the lines measure, for those who hear it. */
  readonly unit: string
  /** Milliseconds since 1970. */
  readonly times: readonly number[]
  /** One or two. */
  readonly lines: readonly Line[]
  readonly least: number
  readonly format: (value: number) => string
  readonly children?: ComponentChildren
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const MINUTE_MS = 60_000

/** The last index of each minute. */
const minutesOf = (times: readonly number[]): readonly number[] =>
  times.flatMap((time, index) => {
    const next = times[index + 1]
    return next === undefined || Math.floor(next / MINUTE_MS) > Math.floor(time / MINUTE_MS) ? [index] : []
  })

const shown = (value: number | null | undefined, format: (value: number) => string): string =>
  value === null || value === undefined ? '–' : format(value)

/** The same in words, a row for each minute, for those who do not see the chart. */
const Table = ({ title, unit, times, lines, format }: ChartProps) => (
  <div class="hidden">
    <table>
      <caption>
        {title}, {unit}, over the last ten minutes
      </caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          {lines.map(({ label }) => (
            <th key={label} scope="col">
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {minutesOf(times).map((index) => (
          <tr key={times[index]}>
            <th scope="row">{CLOCK.format(times[index])}</th>
            {lines.map(({ label, values }) => (
              <td key={label}>{shown(values[index], format)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)

const useChart = ({ times, lines, least, format }: ChartProps) => {
  const host = useRef<HTMLDivElement>(null)
  const chart = useRef<Chart | null>(null)
  const [point, setPoint] = useState<number | null>(null)
  const update = () => chart.current?.update([times.map((time) => time / 1_000), ...lines.map(({ values }) => values)])
  const latest = useRef(update)
  latest.current = update
  const series = lines.length
  useEffect(() => {
    let isOver = false
    const open = async () => {
      const { drawChart } = await import('./chart-drawing.ts')
      if (isOver || host.current === null) return
      chart.current = drawChart({ host: host.current, series, least, format, onPoint: setPoint })
      latest.current()
    }
    void open()
    return () => {
      isOver = true
      chart.current?.destroy()
      chart.current = null
    }
  }, [series, least, format])
  useEffect(update, [times])
  return { host, point }
}

/** What happened in the last ten minutes: the latest values, or those under the pointer, and how they came about. */
export const ChartCard = (props: ChartProps) => {
  const { title, times, lines, format, children } = props
  const { host, point } = useChart(props)
  const id = useId()
  const index = point ?? times.length - 1
  return (
    <section class="card chart-card" aria-labelledby={id}>
      <div class="chart-head">
        <h2 id={id}>{title}</h2>
        {point !== null && times[point] !== undefined && <span class="chart-time">{CLOCK.format(times[point])}</span>}
      </div>
      <p class="chart-values">
        {lines.map(({ label, values }, line) => (
          <span key={label} class={line === 0 ? 'first' : 'second'}>
            <strong>{shown(values[index], format)}</strong> {label}
          </span>
        ))}
      </p>
      <div class="chart" ref={host} aria-hidden="true" />
      <Table {...props} />
      {children !== undefined && <div class="chart-foot">{children}</div>}
    </section>
  )
}
