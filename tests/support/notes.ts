import { createFirstAdmin } from './admin.ts'
import { createMailbox } from './mail.ts'
import { callsOf, defineShopping } from './shopping.ts'
import { startSkep } from './skep.ts'

/** A definition as REST shows it. */
export interface DefinitionBody {
  readonly name: string
  readonly singular: string
  readonly built_in: boolean
  readonly schema: { readonly properties: Readonly<Record<string, unknown>> }
  readonly records: number
  readonly version: number
  readonly created_at: string | null
}

/** The definition of a collection with one text. */
export const NOTES = { schema: { type: 'object', properties: { text: { type: 'string', maxLength: 100 } } } }

/** A server whose admin defines collections, each test its own. The collections of the shopping list are there too. */
export const startNotes = async () => {
  const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
  const admin = callsOf(skep, await createFirstAdmin(skep))
  const ann = callsOf(skep, await skep.member())
  const anyone = callsOf(skep)
  await defineShopping(admin)
  let count = 0
  /** The name of a collection that is not there yet. */
  const fresh = () => `notes_${++count}s`
  const read = (name: string) => admin.call<DefinitionBody>('GET', `/collections/${name}`)
  return { admin, ann, anyone, fresh, read }
}
