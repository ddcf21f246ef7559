import { expect } from 'bun:test'
import type { Page } from 'playwright-core'
import { browserTest, define, openConsole, startWithAdmin } from '../support/console.ts'

const { skep, token } = await startWithAdmin()
await define(skep, token)

/** From now on, editors do not learn what is selected. Otherwise they learn it soon after, by an event. */
const withholdSelections = (page: Page) =>
  page.evaluate(`addEventListener('selectionchange', (event) => event.stopImmediatePropagation(), true)`)

browserTest('text is typed over a selection of which the editor has not learned yet', async () => {
  const { page, close } = await openConsole(skep, 'collections/tasks')
  const filter = page.getByLabel('Filter')
  await filter.click()
  await page.locator('.cm-content').waitFor()
  await page.keyboard.type('true == done')
  await withholdSelections(page)
  await filter.selectText()
  await page.keyboard.insertText('title == "Milk"')
  await page.keyboard.insertText(' && done')
  expect(await filter.textContent()).toBe('title == "Milk" && done')
  // The policy of the page refuses nothing meanwhile.
  await close()
})

browserTest('an editor that may only be read keeps its text', async () => {
  const { page, close } = await openConsole(skep, 'collections/items/definition')
  await page.getByRole('button', { name: 'JSON' }).click()
  const editor = page.getByRole('textbox', { name: 'Definition in JSON' })
  const text = await editor.textContent()
  await editor.selectText()
  await page.keyboard.insertText('{}')
  expect(await editor.textContent()).toBe(text)
  await close()
})
