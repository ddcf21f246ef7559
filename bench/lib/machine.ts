import { cpus, release, totalmem } from 'node:os'
import elysia from 'elysia/package.json' with { type: 'json' }
import pkg from '../../package.json' with { type: 'json' }
import { ROOT } from './skep.ts'

const git = (...args: string[]): string => {
  if (Bun.which('git') === null) return ''
  return Bun.spawnSync(['git', ...args], { cwd: ROOT, stderr: 'ignore' })
    .stdout.toString()
    .trim()
}

/** Where this ran. */
export const describeMachine = () => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memory_gb: Math.round(totalmem() / 1e9),
  system: `${process.platform} ${process.arch} ${release()}`,
})

/** What ran. `commit` ends in `+` when the tree held changes. */
export const describeVersions = (wrk: string) => ({
  skep: pkg.version,
  commit: `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '+'}`,
  bun: Bun.version,
  elysia: elysia.version,
  wrk,
})
