/** Draws the `plot` of a result: `bun bench/plot.ts RESULT.json [OUT.svg]`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { Value } from '@sinclair/typebox/value'
import { renderPlot } from './lib/plot.ts'
import { PlotResult } from './lib/report.ts'

const [input, out = input?.replace(/(\.json)?$/, '.svg')] = Bun.argv.slice(2)
if (input === undefined || out === undefined) {
  console.error('bun bench/plot.ts RESULT.json [OUT.svg]')
  process.exit(2)
}
const result: unknown = JSON.parse(readFileSync(input, 'utf8'))
if (!Value.Check(PlotResult, result)) {
  console.error(`${input} has nothing to plot`)
  process.exit(1)
}
writeFileSync(out, renderPlot(result.plot))
console.log(out)
