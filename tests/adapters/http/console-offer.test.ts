import { expect, test } from 'bun:test'
import { createOffer } from '../../../src/adapters/http/console/app/offer.ts'
import type { Choices } from '../../../src/adapters/http/console/app/types.ts'

const choice = (id: number) => ({ id, label: `Shop ${id}`, hint: '' })

/** A search whose pages the test delivers. */
const createSearch = () => {
  const asked: { readonly after: string | null; readonly deliver: (page: Choices) => void }[] = []
  const shown: Choices[] = []
  const offer = createOffer({
    search: (after) => {
      const { promise, resolve } = Promise.withResolvers<Choices>()
      asked.push({ after, deliver: resolve })
      return promise
    },
    onChange: (found) => void shown.push(found),
  })
  return { offer, asked, shown }
}

test('continues where the search has ended, and adds to what was found', async () => {
  const { offer, asked, shown } = createSearch()
  const begun = offer.begin()
  asked[0]?.deliver({ choices: [choice(1)], next: 'a' })
  await begun
  const more = offer.readMore()
  asked[1]?.deliver({ choices: [choice(2)], next: null })
  await more
  await offer.readMore()
  expect(asked.map(({ after }) => after)).toEqual([null, 'a'])
  expect(shown.at(-1)).toEqual({ choices: [choice(1), choice(2)], next: null })
})

test('does not read the same part twice when it is asked for again meanwhile', async () => {
  const { offer, asked, shown } = createSearch()
  const begun = offer.begin()
  asked[0]?.deliver({ choices: [choice(1)], next: 'a' })
  await begun
  const more = offer.readMore()
  await offer.readMore()
  asked[1]?.deliver({ choices: [choice(2)], next: 'b' })
  await more
  expect(asked).toHaveLength(2)
  expect(shown.at(-1)?.choices).toHaveLength(2)
})

test('of a search that is over, reads nothing more, and does not report what arrives', async () => {
  const { offer, asked, shown } = createSearch()
  const begun = offer.begin()
  asked[0]?.deliver({ choices: [choice(1)], next: 'a' })
  await begun
  const more = offer.readMore()
  offer.stop()
  asked[1]?.deliver({ choices: [choice(2)], next: 'b' })
  await more
  await offer.readMore()
  expect(asked).toHaveLength(2)
  expect(shown).toHaveLength(1)
})

test('ends after so many that typing finds it sooner', async () => {
  const { offer, asked, shown } = createSearch()
  const begun = offer.begin()
  asked[0]?.deliver({ choices: Array.from({ length: 1_000 }, (_, id) => choice(id)), next: 'a' })
  await begun
  expect(shown.at(-1)?.next).toBeNull()
})
