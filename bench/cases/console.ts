import { type Browser, chromium, type Page } from 'playwright-core'
import { callAt } from '../../tests/support/call.ts'
import { plainList } from '../floors/plain-list.ts'
import type { Case, CaseResult, Context, Figure } from '../lib/case.ts'
import { skipped } from '../lib/case.ts'
import { makeCollections } from '../lib/collection-data.ts'
import { SECRET } from '../lib/crowd.ts'
import { credentialsOf, signUp, startSkep } from '../lib/skep.ts'
import { spreadOf } from '../lib/statistics.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const EMAIL = 'ann@example.com'
const VIEWPORT = { width: 1_280, height: 900 }

const MAX_RECORDS_COUNT = 100_000
const LOADS_COUNT = 5
const MAX_FIRST_PAINT_MS = 300
const MAX_FRAME_MS = 50
/** Several screens a frame, so that every row is new. */
const STEP_PX = 4_000
const PLACES_COUNT = 50
/** Enough of the plain list, which reads nothing. */
const FLOOR_ROWS_COUNT = 20_000
/** What the machine takes from a task now and then, it does not take most times at the same place. */
const VISITS_COUNT = 5
const TIMEOUT_MS = 120_000

/** Scrolls to the last of so many rows, then visits places to and fro. Answers how long each frame took. Runs in the page. */
const SCROLL = `async ({ rows, step, places, visits }) => {
  const list = document.querySelector('.table-scroll')
  const gaps = []
  let before = performance.now()
  const frame = () => new Promise((resolve) => requestAnimationFrame((now) => {
    gaps.push(now - before)
    before = now
    resolve()
  }))
  const last = () => Number([...list.querySelectorAll('[aria-rowindex]')].at(-1)?.getAttribute('aria-rowindex'))
  while (last() <= rows) {
    list.scrollTop += step
    await frame()
  }
  for (let jump = 0; jump < places * visits; jump++) {
    const place = (jump * 37) % places
    performance.mark('place ' + place)
    list.scrollTop = list.scrollHeight * place / places
    await frame()
    await frame()
  }
  performance.mark('place')
  return gaps
}`

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  /** Microseconds. */
  readonly ts: number
  /** Microseconds of processor time. */
  readonly tdur?: number
  readonly args: { readonly name?: string }
}

const descending = (values: readonly number[]): readonly number[] => values.toSorted((one, other) => other - one)

const MARK = /^place ?(\d*)$/

/** The processor time of the tasks of the main thread of the page, in milliseconds. */
const tasksOf = (trace: Buffer) => {
  const { traceEvents }: { readonly traceEvents: readonly TraceEvent[] } = JSON.parse(trace.toString())
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`
  const isMain = ({ name, args }: TraceEvent) => name === 'thread_name' && args.name === 'CrRendererMain'
  const main = new Set(traceEvents.filter(isMain).map(threadOf))
  const isTask = ({ name }: TraceEvent) => name === 'ThreadControllerImpl::RunTask'
  const events = traceEvents
    .filter((event) => main.has(threadOf(event)) && (isTask(event) || MARK.test(event.name)))
    .toSorted((one, other) => one.ts - other.ts)
  const all: number[] = []
  const visits: { readonly place: string; longest: number }[] = []
  for (const event of events) {
    const [, place] = MARK.exec(event.name) ?? []
    if (place !== undefined) {
      visits.push({ place, longest: 0 })
      continue
    }
    const took = (event.tdur ?? 0) / 1_000
    all.push(took)
    const visit = visits.at(-1)
    if (visit !== undefined) visit.longest = Math.max(visit.longest, took)
  }
  const atPlaces = Map.groupBy(
    visits.filter(({ place }) => place !== ''),
    ({ place }) => place,
  )
  return {
    longest: descending(all),
    atPlaces: descending([...atPlaces.values()].map((each) => spreadOf(each.map(({ longest }) => longest)).median)),
  }
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

/** Scrolls the list of a page that shows one. */
const scroll = async (browser: Browser, page: Page, rows: number) => {
  page.setDefaultTimeout(TIMEOUT_MS)
  const input = JSON.stringify({ rows, step: STEP_PX, places: PLACES_COUNT, visits: VISITS_COUNT })
  await browser.startTracing(page, { categories: ['-*', 'toplevel', 'blink.user_timing'] })
  const frames = await page.evaluate<readonly number[]>(`(${SCROLL})(${input})`)
  const tasks = tasksOf(await browser.stopTracing())
  if (tasks.atPlaces.length !== PLACES_COUNT) throw new Error(`the trace has ${tasks.atPlaces.length} places`)
  return { frames: descending(frames), tasks }
}

const measure = async (browser: Browser, url: string, records: number) => {
  const page = await browser.newPage({ viewport: VIEWPORT })
  await signIn(page, url)
  const list = `${url}/console/collections/tasks`
  const paints: number[] = []
  for (let load = 0; load < LOADS_COUNT; load++) paints.push(await firstPaintOf(page, list))
  const console = await scroll(browser, page, records)
  await page.close()
  const plain = await browser.newPage({ viewport: VIEWPORT })
  await plain.setContent(plainList(FLOOR_ROWS_COUNT))
  return { paints, console, floor: await scroll(browser, plain, FLOOR_ROWS_COUNT) }
}

const resultOf = ({ paints, console, floor }: Awaited<ReturnType<typeof measure>>): CaseResult => {
  const paint = spreadOf(paints)
  const figure = (name: string, of: (scrolled: typeof console) => number | undefined): Figure => {
    const [value, least] = [of(console) ?? Number.NaN, of(floor) ?? Number.NaN]
    return { name, unit: 'ms', value, floor: least, ratio: value / least }
  }
  return {
    figures: [
      {
        name: 'first paint of the list',
        unit: 'ms',
        value: paint.median,
        bar: { of: 'value', atMost: MAX_FIRST_PAINT_MS },
      },
      {
        ...figure('longest task of the main thread at a place, processor time', ({ tasks }) => tasks.atPlaces[0]),
        bar: { of: 'value', atMost: MAX_FRAME_MS },
      },
      figure('longest task of all', ({ tasks }) => tasks.longest[0]),
      figure('longest frame', ({ frames }) => frames[0]),
      figure('p99 of frames', ({ frames }) => frames[Math.floor(frames.length / 100)]),
    ],
    notes: [
      'the floor is a list of plain boxes with the same texts in the same browser, which here draws without a GPU',
      `at a place: the median of ${VISITS_COUNT} visits; frames and tasks of all also have what the machine took from them`,
    ],
    detail: {
      paint,
      frames: { console: console.frames.length, floor: floor.frames.length },
      longest_tasks: { console: console.tasks.longest.slice(0, 20), floor: floor.tasks.longest.slice(0, 20) },
      longest_tasks_at_places: {
        console: console.tasks.atPlaces.slice(0, 20),
        floor: floor.tasks.atPlaces.slice(0, 20),
      },
      longest_frames: { console: console.frames.slice(0, 20), floor: floor.frames.slice(0, 20) },
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
