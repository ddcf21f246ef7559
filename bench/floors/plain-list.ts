import { taskLines } from '../lib/tasks.ts'

/** Rows of different texts; the list repeats them. */
const TEXTS_COUNT = 1_000
const TIME = new Intl.DateTimeFormat('en-US', { dateStyle: 'medium', timeStyle: 'short' })

interface Task {
  readonly title: string
  readonly notes: string
  readonly done: boolean
  readonly due_at: string
}

/** What a row of the console shows of a task, as texts. */
const textsOf = (): readonly (readonly string[])[] =>
  [...taskLines({ lists: [1], count: TEXTS_COUNT, seed: 1 })].map((line, index) => {
    const { title, notes, done, due_at: due }: Task = JSON.parse(line)
    const time = TIME.format(new Date(due))
    return [String(index), title, notes, done ? 'Yes' : 'No', time, 'List 0', 'Ann', time, time]
  })

const STYLE = `
  .table-scroll { height: 700px; overflow: auto; font: 15px / 46px sans-serif }
  .rows { width: 1648px; box-sizing: border-box }
  .row { display: flex; height: 46px }
  .row > div { flex: none; width: 183px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }`

/** Uses the elements of its rows again, whatever they show; they are in the order in which they were made. */
const SCRIPT = `
  const [HEIGHT, SHOWN] = [46, 23]
  const list = document.querySelector('.table-scroll')
  const body = document.querySelector('.rows')
  body.style.height = count * HEIGHT + 'px'
  const rows = Array.from({ length: SHOWN }, () => {
    const row = document.createElement('div')
    row.className = 'row'
    row.append(...texts[0].map(() => {
      const cell = document.createElement('div')
      cell.append('')
      return cell
    }))
    return row
  })
  body.append(...rows)
  const show = () => {
    const first = Math.max(0, Math.min(count - SHOWN, Math.floor(list.scrollTop / HEIGHT) - 3))
    body.style.paddingTop = first * HEIGHT + 'px'
    rows.forEach((row, place) => {
      const index = first + place
      row.setAttribute('aria-rowindex', index + 2)
      texts[index % texts.length].forEach((text, column) => { row.children[column].firstChild.data = text })
    })
  }
  list.addEventListener('scroll', show)
  show()`

/** A page with a list of so many rows that are plain boxes with the texts of tasks, and nothing else. */
export const plainList = (count: number): string => `<!doctype html>
<style>${STYLE}</style>
<div class="table-scroll"><div class="rows"></div></div>
<script>{ const count = ${count}; const texts = ${JSON.stringify(textsOf())}; ${SCRIPT} }</script>`
