import { DEFINITIONS } from '../client/collections.ts'
import { createFirstAdmin } from './admin.ts'
import { startSkep } from './skep.ts'

/** A server with the collections that tests of the client use. */
export const startClientServer = async (environment: Readonly<Record<string, string>> = {}) => {
  const skep = await startSkep(environment)
  const { token } = await createFirstAdmin(skep)
  for (const [name, json] of Object.entries(DEFINITIONS)) {
    const { status, body } = await skep.call('PUT', `/collections/${name}`, { token, json })
    if (status !== 201) throw new Error(JSON.stringify(body))
  }
  return { ...skep, adminToken: token }
}
