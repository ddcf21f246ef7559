import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Type } from '@sinclair/typebox'
import { callAt } from '../../tests/support/call.ts'
import { expectShape } from '../../tests/support/load/acknowledge.ts'

const Jobs = Type.Object({ items: Type.Array(Type.Object({ id: Type.Number(), kind: Type.String() })) })
const Pair = Type.Object({ access_token: Type.String(), refresh_token: Type.String() })

interface Options {
  readonly url: string
  readonly dataDir: string
  readonly admin: { readonly username: string; readonly password: string }
}

const PAGE_SIZE_COUNT = 100
const MAX_PAGES_COUNT = 30

/**
 * Removes what the server keeps for a day or longer, as an admin would: jobs that are done, mails in the folder, events
 * past their retention. Otherwise hours of load grow the data, and a leak could not be told from it.
 */
export const createJanitor = ({ url, dataDir, admin }: Options) => {
  const tidy = async (token: string) => {
    const jobs = async (state: string) => {
      const { body } = await callAt(url, 'GET', `/admin/jobs?state=${state}&sort=created_at&size=${PAGE_SIZE_COUNT}`, {
        token,
      })
      return expectShape(Jobs, body).items
    }
    for (let pages = 0; pages < MAX_PAGES_COUNT; pages++) {
      const done = await jobs('done')
      for (const { id } of done) await callAt(url, 'DELETE', `/admin/jobs/${id}`, { token })
      if (done.length < PAGE_SIZE_COUNT) break
    }
    const cleaning = (await jobs('queued')).find(({ kind }) => kind === 'clean-up')
    if (cleaning !== undefined) await callAt(url, 'POST', `/admin/jobs/${cleaning.id}/retry`, { token })
    const mails = join(dataDir, 'mail')
    for (const name of readdirSync(mails)) if (name.endsWith('.eml')) rmSync(join(mails, name), { force: true })
  }

  return {
    async run(): Promise<void> {
      const { body } = await callAt(url, 'POST', '/auth/token', { form: admin })
      const { access_token, refresh_token } = expectShape(Pair, body)
      await tidy(access_token)
      await callAt(url, 'POST', '/auth/revoke', { form: { token: refresh_token } })
    },
  }
}
