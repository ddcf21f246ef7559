import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fetched } from '../lib/beside.ts'
import type { Case, CaseResult, Context } from '../lib/case.ts'
import { compare } from '../lib/compare.ts'
import { startFloor } from '../lib/floor.ts'
import { NOTES, NOTES_PATH, noteDraft } from '../lib/notes.ts'
import { databaseOf, runSkep, signUp, startSkep } from '../lib/skep.ts'

const NOTES_COUNT = 5_000
const BATCH_COUNT = 100
const LEAST_RATIO = 0.5

const LISTS = {
  'newest first': '?size=20&total=false',
  'cheap ones': `?size=20&total=false&sort=price&filter=${encodeURIComponent('price < 50')}`,
} as const

const createNotes = async (url: string, token: string): Promise<void> => {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  for (let n = 0; n < NOTES_COUNT; n += BATCH_COUNT) {
    const operations = Array.from({ length: BATCH_COUNT }, (_, at) => ({
      ...{ collection: NOTES.name, op: 'create' },
      ...noteDraft(n + at),
    }))
    await fetched(`${url}/api/v1/batch`, { method: 'POST', headers, body: JSON.stringify({ operations }) })
  }
}

const prepareFolder = async ({ form, folder: newFolder }: Context): Promise<string> => {
  const folder = newFolder()
  const definitions = join(folder, 'collections')
  mkdirSync(definitions)
  await Bun.write(join(definitions, 'notes.json'), JSON.stringify(NOTES))
  await runSkep(form, ['collections', 'apply', definitions], { folder })
  return folder
}

/** Lists of 20 of one's own records, beside a raw server that does what every answer must have and reads the same rows. */
export const collectionListsDuties: Case = {
  name: 'collection-lists-duties',
  about: 'lists of 20 of 5,000 records, beside raw Bun.serve with request id, policy, limits and a line in the log',
  async run(context): Promise<CaseResult> {
    const folder = await prepareFolder(context)
    const core = context.cores.server
    await using skep = await startSkep(context.form, { folder, core })
    const { id, token } = await signUp(skep.url)
    await createNotes(skep.url, token)
    const args = [databaseOf(folder), String(id)]
    await using floor = await startFloor('list-records-duties', { folder: context.folder(), core, args })
    const results: (CaseResult & { readonly list: string })[] = []
    for (const [list, query] of Object.entries(LISTS)) {
      const asked = { path: NOTES_PATH + query, headers: { authorization: `Bearer ${token}` } }
      results.push({ list, ...(await compare(context, { skep, floor, atLeast: LEAST_RATIO }, asked)) })
    }
    return {
      figures: results.flatMap(({ list, figures }) =>
        figures.map((figure) => ({ ...figure, name: `${list}, ${figure.name}` })),
      ),
      notes: [...new Set(results.flatMap(({ notes = [] }) => notes))],
      detail: Object.fromEntries(results.map(({ list, detail }) => [list, detail])),
    }
  },
}
