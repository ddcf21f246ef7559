import { type Bar, type CaseResult, type Figure, type Latency, meetsBar } from './case.ts'

export interface NamedResult {
  readonly name: string
  readonly result: Pick<CaseResult, 'skipped' | 'figures'>
}

/** The columns, and which of them hold numbers. */
export const COLUMNS = [
  { head: 'case', isNumber: false },
  { head: 'figure', isNumber: false },
  { head: 'Skep', isNumber: true },
  { head: 'floor', isNumber: true },
  { head: 'ratio', isNumber: true },
  { head: 'p50 ms (floor)', isNumber: true },
  { head: 'p99 ms (floor)', isNumber: true },
  { head: 'bar', isNumber: false },
  { head: 'met', isNumber: false },
] as const

/** Three significant digits, or the whole number where that is more. */
export const digits = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)))

const describeBar = ({ of, atLeast, atMost }: Bar, unit: string): string => {
  const limit = atLeast === undefined ? `<= ${atMost}` : `>= ${atLeast.toLocaleString('en-US')}`
  return of === 'ratio' ? `ratio ${limit}` : `${limit} ${unit}`.trim()
}

const describeLatency = (latency: Latency | undefined): string => {
  if (latency === undefined) return ''
  return latency.floor === undefined ? digits(latency.value) : `${digits(latency.value)} (${digits(latency.floor)})`
}

const cellsOf = (name: string, figure: Figure): readonly string[] => {
  const { value, floor, ratio, p50, p99, bar, unit } = figure
  const measured = (each: number | undefined) => (each === undefined ? '' : `${digits(each)} ${unit}`.trim())
  const met = meetsBar(figure)
  return [
    name,
    figure.name,
    measured(value),
    measured(floor),
    ratio === undefined ? '' : ratio.toFixed(3),
    describeLatency(p50),
    describeLatency(p99),
    bar === undefined ? '' : describeBar(bar, unit),
    met === null ? '' : met ? 'yes' : 'NO',
  ]
}

/** One line a figure, and one for a case that was skipped, which says why. */
export const rowsOf = (results: readonly NamedResult[]): readonly (readonly string[])[] =>
  results.flatMap(({ name, result: { skipped, figures } }) =>
    skipped === undefined
      ? figures.map((figure) => cellsOf(name, figure))
      : [COLUMNS.map((_, column) => [name, `skipped: ${skipped}`][column] ?? '')],
  )

/** The rows as a table of text. */
export const renderTable = (results: readonly NamedResult[]): string => {
  const lines = [COLUMNS.map(({ head }) => head), ...rowsOf(results)]
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const padded = (cell: string, column: number) =>
    COLUMNS[column]?.isNumber ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)
  return lines.map((line) => line.map(padded).join('  ').trimEnd()).join('\n')
}

/** The rows as a table of Markdown; cases that follow each other under one name have it once. */
export const renderMarkdown = (results: readonly NamedResult[]): string => {
  const escaped = (cell: string) => cell.replaceAll('|', '\\|').replaceAll('<=', '≤').replaceAll('>=', '≥')
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`
  const rule = `|${COLUMNS.map(({ isNumber }) => (isNumber ? '---:' : '---')).join('|')}|`
  const rows = rowsOf(results)
  const unrepeated = rows.map(([name = '', ...rest], index) => [
    name === rows[index - 1]?.[0] ? '' : `\`${name}\``,
    ...rest,
  ])
  return [line(COLUMNS.map(({ head }) => head)), rule, ...unrepeated.map(line)].join('\n')
}
