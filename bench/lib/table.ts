import { type Bar, type Figure, meetsBar } from './case.ts'

export interface Row {
  readonly case: string
  readonly figure: Figure
}

const HEAD = ['case', 'figure', 'Skep', 'floor', 'ratio', 'bar', 'met']

/** Three significant digits, or the whole number where that is more. */
const digits = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)))

const describeBar = ({ of, atLeast, atMost }: Bar, unit: string): string => {
  const limit = atLeast === undefined ? `<= ${atMost}` : `>= ${atLeast}`
  return of === 'ratio' ? `ratio ${limit}` : `${limit} ${unit}`.trim()
}

const cells = ({ case: name, figure }: Row): readonly string[] => {
  const { value, floor, ratio, bar, unit } = figure
  const measured = (each: number | undefined) => (each === undefined ? '' : `${digits(each)} ${unit}`.trim())
  const met = meetsBar(figure)
  return [
    name,
    figure.name,
    measured(value),
    measured(floor),
    ratio === undefined ? '' : ratio.toFixed(3),
    bar === undefined ? '' : describeBar(bar, unit),
    met === null ? '' : met ? 'yes' : 'NO',
  ]
}

/** The rows as a table of text. */
export const renderTable = (rows: readonly Row[]): string => {
  const lines = [HEAD, ...rows.map(cells)]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const isNumber = (column: number) => column >= 2 && column <= 4
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
