import { type Browser, chromium, type Page } from 'playwright-core'
import { callAt } from '../../tests/support/call.ts'
import type { Case, CaseResult, Context, Figure } from '../lib/case.ts'
import { skipped } from '../lib/case.ts'
import { makeCollections } from '../lib/collection-data.ts'
import { SECRET } from '../lib/crowd.ts'
import { credentialsOf, signUp, startSkep } from '../lib/skep.ts'
import { spreadOf } from '../lib/statistics.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const EMAIL = 'ann@example.com'

const MAX_RECORDS_COUNT = 100_000
const LOADS_COUNT = 5
const MAX_FIRST_PAINT_MS = 300
const MAX_FRAME_MS = 50
/** Several screens a frame, so that every row is new. */
const STEP_PX = 4_000
const JUMPS_COUNT = 100
const TIMEOUT_MS = 120_000

/** Scrolls to the last of so many rows, then jumps to and fro. Answers how long each frame took. Runs in the page. */
const SCROLL = `async ({ rows, step, jumps }) => {
  const list = document.querySelector('.table-scroll')
  const gaps = []
  let before = performance.now()
  const frame = () => new Promise((resolve) => requestAnimationFrame((now) => {
    gaps.push(now - before)
    before = now
    resolve()
  }))
  const last = () => Number([...list.querySelectorAll('tr[aria-rowindex]')].at(-1)?.getAttribute('aria-rowindex'))
  while (last() <= rows) {
    list.scrollTop += step
    await frame()
  }
  for (let jump = 0; jump < jumps; jump++) {
    list.scrollTop = list.scrollHeight * ((jump * 37) % jumps) / jumps
    await frame()
    await frame()
  }
  return gaps
}`

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  /** Microseconds of processor time. */
  readonly tdur?: number
  readonly args: { readonly name?: string }
}

/** The processor time of each task of the main threads of pages, in milliseconds. */
const mainThreadTasks = (trace: Buffer): readonly number[] => {
  const { traceEvents }: { readonly traceEvents: readonly TraceEvent[] } = JSON.parse(trace.toString())
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`
  const isMain = ({ name, args }: TraceEvent) => name === 'thread_name' && args.name === 'CrRendererMain'
  const main = new Set(traceEvents.filter(isMain).map(threadOf))
  return traceEvents
    .filter((event) => event.name === 'ThreadControllerImpl::RunTask' && main.has(threadOf(event)))
    .map(({ tdur = 0 }) => tdur / 1_000)
}

const signIn = async (page: Page, url: string): Promise<void> => {
  const { username, password } = credentialsOf(EMAIL)
  await page.goto(`${url}/console/`)
  await page.getByLabel('Email address').fill(username)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Console' }).waitFor()
}

const firstPaintOf = async (page: Page, url: string): Promise<number> => {
  await page.goto(url)
  await page.getByRole('row').nth(1).waitFor()
  return page.evaluate<number>(`performance.getEntriesByName('first-contentful-paint')[0].startTime`)
}

const measure = async (browser: Browser, url: string, records: number) => {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 900 } })
  await signIn(page, url)
  const list = `${url}/console/collections/tasks`
  const paints: number[] = []
  for (let load = 0; load < LOADS_COUNT; load++) paints.push(await firstPaintOf(page, list))
  page.setDefaultTimeout(TIMEOUT_MS)
  const input = JSON.stringify({ rows: records, step: STEP_PX, jumps: JUMPS_COUNT })
  await browser.startTracing(page, { categories: ['-*', 'toplevel'] })
  const frames = await page.evaluate<readonly number[]>(`(${SCROLL})(${input})`)
  return { paints, frames, tasks: mainThreadTasks(await browser.stopTracing()) }
}

const resultOf = ({ paints, frames, tasks }: Awaited<ReturnType<typeof measure>>): CaseResult => {
  const paint = spreadOf(paints)
  const descending = (times: readonly number[]) => times.toSorted((one, other) => other - one)
  const [task = Number.NaN] = descending(tasks)
  const gaps = descending(frames)
  const figure = (name: string, value: number, atMost?: number): Figure => ({
    name,
    unit: 'ms',
    value,
    ...(atMost === undefined ? {} : { bar: { of: 'value', atMost } }),
  })
  return {
    figures: [
      figure('first paint of the list', paint.median, MAX_FIRST_PAINT_MS),
      figure('longest task of the main thread, processor time', task, MAX_FRAME_MS),
      figure('longest frame', gaps[0] ?? Number.NaN),
      figure('p99 of frames', gaps[Math.floor(gaps.length / 100)] ?? Number.NaN),
    ],
    notes: ['frames also take what other processes on the machine take, and the drawing, which here has no GPU'],
    detail: {
      paint,
      frames: frames.length,
      longest_tasks: descending(tasks).slice(0, 20),
      longest_frames: gaps.slice(0, 20),
    },
  }
}

/** What a browser makes of a list of many records in the console. */
export const consoleList: Case = {
  name: 'console-list',
  about: `first paint, and every frame while ${MAX_RECORDS_COUNT} records are scrolled through in Chromium`,
  async run(context: Context) {
    if (!(await Bun.file(CHROMIUM).exists())) return skipped(`no browser at ${CHROMIUM}: set CHROMIUM to one`)
    const records = Math.min(MAX_RECORDS_COUNT, context.settings.records)
    const { folder, admin } = await makeCollections(context, { members: 1, lists: 1, records })
    await using skep = await startSkep(context.deployedForm, { folder, core: context.cores.server, env: SECRET })
    const { id } = await signUp(skep.url, EMAIL)
    await callAt(skep.url, 'PATCH', `/users/${id}`, { token: admin.token, json: { role: 'admin' } })
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
    try {
      return resultOf(await measure(browser, skep.url, records))
    } finally {
      await browser.close()
    }
  },
}
