import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder, type Server, serve } from '../support/process.ts'
import { embeddedOnly } from '../support/stack.ts'

const DOCS = join(import.meta.dir, '../../docs')

/** What a reader pastes, and what the page says it prints; null where the page does not say. */
interface Step {
  readonly heading: string
  readonly script: string
  readonly printed: string | null
}

const stepsOf = (markdown: string): readonly Step[] => {
  const steps: { heading: string; script: string; printed: string | null }[] = []
  let heading = ''
  for (const [, title, kind, block = ''] of markdown.matchAll(/^##+ (.+)$|^```(\w*)\n([\s\S]*?)^```$/gm)) {
    if (title !== undefined) heading = title
    else if (kind === 'sh') steps.push({ heading, script: block, printed: null })
    else {
      const last = steps.at(-1)
      if (last !== undefined && last.printed === null) last.printed = block
    }
  }
  return steps
}

/** `…` stands for anything. */
const patternOf = (printed: string): RegExp =>
  new RegExp(`^${printed.trim().split('…').map(RegExp.escape).join('[\\s\\S]*?')}$`)

const END = 'end-of-block'

/** Pastes every block into one shell, in order, and answers what each printed. */
const paste = async (steps: readonly Step[], cwd: string): Promise<readonly string[]> => {
  const script = steps.map(({ script }) => `${script}\necho; echo ${END}\n`).join('')
  const shell = Bun.spawn(['bash'], { cwd, stdin: new Blob([script]), stdout: 'pipe', stderr: 'pipe' })
  const printed = await shell.stdout.text()
  return printed.replaceAll('\r', '').split(`${END}\n`).slice(0, -1)
}

const MAIN = join(import.meta.dir, '../../src/main.ts')

describe.each(['tour', 'collections'])('the page %s', (page) => {
  const home = folder()
  const steps = stepsOf(readFileSync(join(DOCS, `${page}.md`), 'utf8'))
  let server: Server
  let printed: readonly string[] = []

  beforeAll(async () => {
    server = await serve({ cwd: home.path, env: { ...embeddedOnly } })
    const moved = steps.map((step) => ({
      ...step,
      script: step.script
        .replace(/http:\/\/127\.0\.0\.1:3000/g, server.url)
        .replace('bun src/main.ts', `"${process.execPath}" "${MAIN}"`),
    }))
    printed = await paste(moved, home.path)
  }, 60_000)

  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    home[Symbol.dispose]()
  })

  test('has blocks to paste', () => {
    expect(steps.length).toBeGreaterThan(5)
    expect(printed).toHaveLength(steps.length)
  })

  for (const [index, { heading, printed: expected }] of steps.entries()) {
    if (expected === null) continue
    test(`block ${index + 1} of it (${heading}) prints what the page says`, () => {
      expect(printed[index]?.trim()).toMatch(patternOf(expected))
    })
  }
})
