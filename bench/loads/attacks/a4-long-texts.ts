import type { Attack } from './attack.ts'
import { LONG_TEXTS, sendInTurn } from './payloads.ts'

export const attack: Attack = {
  id: 'A4',
  about: 'texts of up to 1 MB on which patterns are slow, to every route that takes an address, a name or a title',
  client: (target, index, signal) => sendInTurn(target, LONG_TEXTS, index, signal),
}
