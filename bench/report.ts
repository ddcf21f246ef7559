/**
 * Writes results into the documentation: `bun bench/report.ts [RESULT.json…]`. Without a name it takes what the last
 * runs left in `bench/results`. A case that is in several results is taken from the last.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Value } from '@sinclair/typebox/value'
import { renderBars } from './lib/bars.ts'
import { renderPlot } from './lib/plot.ts'
import { BenchResult, describeRun, describeSoak, fillIn, mergeResults, SoakResult } from './lib/report.ts'
import { ROOT } from './lib/skep.ts'
import { renderMarkdown } from './lib/table.ts'
import { drawPeers, PeersResult, renderPeers } from './peers/report.ts'

const DEFAULTS = ['latest.json', 'soak.json', 'peers.json'].map((name) => join(import.meta.dir, 'results', name))
const given = Bun.argv.slice(2)
const paths = given.length > 0 ? given : DEFAULTS.filter((path) => existsSync(path))
if (paths.length === 0) {
  console.error('nothing to report: bun run bench')
  process.exit(2)
}

const docs = join(ROOT, 'docs')
const page = join(docs, 'performance.md')
let text = readFileSync(page, 'utf8')
const draw = (name: string, svg: string) => {
  writeFileSync(join(docs, name), svg)
  console.log(join(docs, name))
}

const runs: BenchResult[] = []
for (const path of paths) {
  const result: unknown = JSON.parse(readFileSync(path, 'utf8'))
  if (Value.Check(BenchResult, result)) runs.push(result)
  else if (Value.Check(SoakResult, result)) {
    text = fillIn(text, 'soak', describeSoak(result))
    draw('soak.svg', renderPlot(result.plot))
  } else if (Value.Check(PeersResult, result)) {
    text = fillIn(text, 'peers', renderPeers(result))
    draw('peers.svg', drawPeers(result))
  } else {
    console.error(`${path} is not a result of this version`)
    process.exit(1)
  }
}
if (runs.length > 0) {
  const results = mergeResults(runs)
  text = fillIn(text, 'run', runs.map(describeRun).join('\n\n'))
  text = fillIn(text, 'results', renderMarkdown(results))
  const notes = results.flatMap(({ name, result }) => result.notes.map((note) => `- \`${name}\`: ${note}.`))
  text = fillIn(text, 'notes', notes.join('\n'))
  draw('performance.svg', renderBars('Skep beside its floors and limits', results))
}
writeFileSync(page, text)
console.log(page)
