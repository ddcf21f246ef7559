import { expect } from 'bun:test'
import type { Page } from 'playwright-core'
import { axeViolations, snapshot } from '../support/browser.ts'
import { browserTest, define, openConsole, overhang, startWithAdmin } from '../support/console.ts'
import { PNG, upload } from '../support/uploads.ts'

const { skep, token } = await startWithAdmin()
await define(skep, token)

const lines = (count: number) => Array.from({ length: count }, (_, n) => `{"name":"List ${n}"}\n`).join('')

const importLines = (collection: string, body: string) =>
  skep.call('POST', `/collections/${collection}/records/import`, {
    token,
    body,
    headers: { 'content-type': 'application/x-ndjson' },
  })

browserTest('changes by others appear, and a filter is checked while it is typed', async () => {
  const { page, close } = await openConsole(skep, 'collections/tasks')
  await page.getByText('Live').waitFor()
  await skep.call('POST', '/collections/tasks/records/', { token, json: { title: 'Butter', list: 1 } })
  await page.getByRole('cell', { name: 'Butter' }).waitFor()
  await page.getByRole('cell', { name: 'Groceries' }).first().waitFor()

  const filter = page.getByLabel('Filter')
  await filter.click()
  await page.locator('.cm-content').waitFor()
  await filter.fill('nothing == 1')
  await filter.locator('.cm-lintRange-error').filter({ hasText: 'nothing' }).waitFor()
  await page.getByRole('status').locator('.fault').waitFor()
  expect(await axeViolations(page)).toEqual([])
  await snapshot(page, 'console-filter-checked')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').filter({ hasText: 'filter' }).waitFor()
  expect(await filter.textContent()).toBe('nothing == 1')
  expect(await filter.locator('.cm-lintRange-error').textContent()).toBe('nothing')
  await snapshot(page, 'console-filter-fault')
  await filter.fill('title == "Milk"')
  await page.keyboard.press('Enter')
  await page.getByText('1 record', { exact: true }).waitFor()
  await close()
})

browserTest('names are offered in a filter, also those of what a reference leads to', async () => {
  const { page, close } = await openConsole(skep, 'collections/tasks')
  await page.getByLabel('Filter').click()
  await page.locator('.cm-content').waitFor()
  await page.keyboard.type('list.na')
  await page.getByRole('option', { name: /^name/ }).waitFor()
  await page.keyboard.press('ArrowDown')
  await page.getByRole('option', { selected: true }).waitFor()
  await page.keyboard.press('Enter')
  await page.keyboard.type(' == "Groceries"')
  await page.keyboard.press('Enter')
  await page.getByRole('cell', { name: 'Milk' }).waitFor()
  expect(new URL(page.url()).searchParams.get('filter')).toBe('list.name == "Groceries"')
  await close()
})

const lastRow = (page: Page): Promise<number> =>
  page.evaluate(`Number([...document.querySelectorAll('tr[aria-rowindex]')].at(-1).getAttribute('aria-rowindex'))`)

const scrollToEnd = `() => {
  const list = document.querySelector('.table-scroll')
  list.scrollTop = list.scrollHeight
}`

browserTest('a long list loads while it is scrolled, and only what is in view is in the page', async () => {
  await skep.call('PUT', '/collections/words', {
    token,
    json: { schema: { type: 'object', properties: { name: { type: 'string', maxLength: 200 } } } },
  })
  await importLines('words', lines(1_000))
  const { page, close } = await openConsole(skep, 'collections/words?sort=id')
  await page.getByRole('cell', { name: 'List 0', exact: true }).waitFor()
  expect(await page.getByText('1,000 records').count()).toBe(1)
  await page
    .getByRole('button', { name: /^Open word/ })
    .first()
    .focus()
  while ((await lastRow(page)) < 1_001) {
    await page.evaluate(`(${scrollToEnd})()`)
    await page.evaluate('new Promise(requestAnimationFrame)')
  }
  await page.getByRole('cell', { name: 'List 999', exact: true }).waitFor()
  expect(await page.getByRole('row').count()).toBeLessThan(60)
  // The row that had the focus is another record's now.
  expect(await page.evaluate<string>('document.activeElement.ariaLabel')).toBe('words')
  await page.getByRole('button', { name: 'ID' }).click()
  await page.getByRole('cell', { name: 'List 999', exact: true }).waitFor()
  expect(await page.evaluate<number>(`document.querySelector('.table-scroll').scrollTop`)).toBe(0)
  await close()
})

browserTest('the focus stays in a long list when its row becomes one that is not loaded yet', async () => {
  const { page, close } = await openConsole(skep, 'collections/words?sort=id')
  await page.getByRole('cell', { name: 'List 0', exact: true }).waitFor()
  const released = Promise.withResolvers<void>()
  await page.route(/cursor=/, async (route) => {
    await released.promise
    await route.continue()
  })
  // It becomes the last row at the end of the list, which is the one that is not loaded.
  await page.evaluate(`[...document.querySelectorAll('.row-open')].at(-1).focus({ preventScroll: true })`)
  await page.evaluate(`(${scrollToEnd})()`)
  await page.getByRole('rowheader', { name: 'Loading…' }).last().waitFor()
  expect(await page.evaluate<string>('document.activeElement.ariaLabel')).toBe('words')
  released.resolve()
  await page.getByRole('rowheader', { name: 'Loading…' }).last().waitFor({ state: 'detached' })
  await close()
})

browserTest('ten thousand records are imported with a progress bar, and refused lines are listed', async () => {
  const { page, close } = await openConsole(skep, 'collections/lists')
  await page.getByRole('button', { name: 'Import / export' }).click()
  const buffer = Buffer.from(`${lines(10_000)}{"name":7}\n`)
  const progress = page.getByRole('progressbar').waitFor()
  await page.getByLabel('Choose a file').setInputFiles({ name: 'lists.ndjson', mimeType: 'text/plain', buffer })
  await progress
  await page.getByText('10,000 records were created').waitFor()
  await page.getByText('Line 10001:').waitFor()
  await snapshot(page, 'console-import')
  expect(await axeViolations(page)).toEqual([])
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Export', exact: true }).click()
  const exported = await Bun.file(await (await download).path()).text()
  expect(exported.trimEnd().split('\n').length).toBe(10_001)
  await close()
})

browserTest('a collection is defined and a record added by keyboard alone', async () => {
  const { page, close } = await openConsole(skep)
  const { keyboard } = page
  /** Presses Tab until the element with this name has the focus. */
  const tabTo = async (name: string) => {
    for (let presses = 0; presses < 60; presses++) {
      await keyboard.press('Tab')
      const focused = await page.evaluate<string>(`(() => {
        let element = document.activeElement
        while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
        const label = element.labels?.[0]?.textContent ?? element.textContent
        return (element.getAttribute('aria-label') ?? label).replace('optional', '').trim()
      })()`)
      if (focused === name) return
    }
    throw new Error(`Tab does not lead to ${name}`)
  }
  await page
    .getByRole('heading', { name: 'Collections' })
    .or(page.getByRole('heading', { level: 1 }))
    .first()
    .waitFor()
  await tabTo('New collection')
  await keyboard.press('Enter')
  await page.getByRole('region', { name: 'Fields' }).waitFor()
  await page.locator('.cm-content').nth(3).waitFor()
  await tabTo('Name')
  await keyboard.type('notes')
  await tabTo('Name')
  await keyboard.type('text')
  await tabTo('Required')
  await keyboard.press('Space')
  await tabTo('read')
  await keyboard.press('Control+a')
  await keyboard.type('auth != null')
  await keyboard.press('Escape')
  await tabTo('Create collection')
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: 'No notes yet' }).waitFor()
  await tabTo('New note')
  await keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await tabTo('text')
  await keyboard.type('Eggs')
  await tabTo('Create')
  await keyboard.press('Enter')
  await page.getByRole('cell', { name: 'Eggs' }).waitFor()
  const { body } = await skep.call<{ rules: { read: string } }>('GET', '/collections/notes', { token })
  expect(body.rules.read).toBe('auth != null')
  await close()
})

browserTest('a reference is picked by name among all records, by keyboard', async () => {
  await skep.call('PUT', '/collections/shops', {
    token,
    json: { schema: { type: 'object', properties: { name: { type: 'string', maxLength: 200 } } } },
  })
  await importLines('shops', `{"name":"Corner shop"}\n${lines(200)}`)
  await skep.call('PUT', '/collections/visits', {
    token,
    json: { schema: { type: 'object', properties: { shop: { type: ['integer', 'null'], 'x-ref': 'shops' } } } },
  })
  const { page, close } = await openConsole(skep, 'collections/visits?record=new')
  await page.getByRole('combobox', { name: 'shop' }).focus()
  await page.keyboard.type('corner')
  await page.getByRole('option', { name: 'Corner shop' }).waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Remove Corner shop' }).waitFor()
  await page.getByRole('button', { name: 'Create', exact: true }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('cell', { name: 'Corner shop' }).waitFor()
  await close()
})

const SCRIPT = '"><img src=x onerror="hacked=1"><script>hacked=1</script>'

const HOSTILE = [
  SCRIPT,
  `javascript:hacked=1//${'x'.repeat(50_000)}`,
  'שלום \u202Eevil\u202C \u2066 مرحبا',
  '👩‍👩‍👧‍👦🏳️‍🌈 z̷̢̛͓a̶l̷g̸o̷ \u0000'.replace('\u0000', '\u0001'),
  'W'.repeat(500),
]

browserTest(
  'hostile texts and broken pictures are shown as text, and the page keeps its width on a phone',
  async () => {
    const filename = '<img src=x onerror=hacked=1>.png'
    const { body: file } = await upload(skep.call, { token, filename, content: PNG.slice(0, 40) })
    await skep.call('PUT', '/collections/hostile', {
      token,
      json: {
        schema: {
          type: 'object',
          properties: {
            text: { type: 'string', maxLength: 100_000, title: SCRIPT },
            data: { type: ['object', 'null'] },
            photo: { type: ['integer', 'null'], 'x-ref': 'files' },
          },
        },
      },
    })
    const ids: unknown[] = []
    for (const text of HOSTILE) {
      const json = { text, data: { text: text.slice(0, 9_000) }, photo: file.id }
      const { status, body } = await skep.call('POST', '/collections/hostile/records/', { token, json })
      expect([status, body.errors]).toEqual([201, undefined])
      ids.push(body.id)
    }
    const { page, close } = await openConsole(skep, 'collections/hostile', { viewport: { width: 360, height: 800 } })
    const expectSound = async (look: string) => {
      await snapshot(page, `console-hostile-${look}`)
      expect([look, await axeViolations(page), await overhang(page)]).toEqual([look, [], 0])
      expect(await page.evaluate('typeof hacked')).toBe('undefined')
    }
    await page
      .getByRole('cell', { name: 'W'.repeat(50) })
      .first()
      .waitFor()
    await expectSound('list')
    for (const [index, text] of HOSTILE.entries()) {
      await page.goto(`${skep.url}/console/collections/hostile?record=${ids[index]}`)
      const field = page.getByRole('textbox', { name: SCRIPT })
      await field.waitFor()
      expect(await field.inputValue()).toBe(text)
      await expectSound(`record-${index}`)
    }
    await page.getByText('History').click()
    await page.getByText('Version 1').waitFor()
    await expectSound('history')
    await page.goto(`${skep.url}/console/files`)
    await page.getByRole('rowheader', { name: filename }).waitFor()
    await expectSound('files')
    await close()
  },
)
