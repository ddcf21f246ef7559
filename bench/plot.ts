/** Draws the `plot` of a result: `bun bench/plot.ts RESULT.json [OUT.svg]`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { renderPlot } from './lib/plot.ts'

const Point = Type.Tuple([Type.Number(), Type.Union([Type.Number(), Type.Null()])])
const Result = Type.Object({
  plot: Type.Object({
    title: Type.String(),
    x: Type.String(),
    panels: Type.Array(
      Type.Object({
        label: Type.String(),
        series: Type.Array(Type.Object({ name: Type.String(), points: Type.Array(Point) })),
        fromZero: Type.Optional(Type.Boolean({ default: true })),
      }),
    ),
  }),
})

const [input, out = input?.replace(/(\.json)?$/, '.svg')] = Bun.argv.slice(2)
if (input === undefined || out === undefined) {
  console.error('bun bench/plot.ts RESULT.json [OUT.svg]')
  process.exit(2)
}
const result: unknown = JSON.parse(readFileSync(input, 'utf8'))
if (!Value.Check(Result, result)) {
  console.error(`${input} has nothing to plot`)
  process.exit(1)
}
const { title, x, panels } = result.plot
const drawn = panels.map(({ label, series, fromZero = true }) => ({ label, series, fromZero }))
writeFileSync(out, renderPlot({ title, x, panels: drawn }))
console.log(out)
