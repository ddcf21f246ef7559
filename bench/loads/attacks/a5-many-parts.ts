import type { Attack } from './attack.ts'
import { MANY_PARTS, sendInTurn } from './payloads.ts'

export const attack: Attack = {
  id: 'A5',
  about: 'bodies of as many fields, properties, operations, escapes, digits and parts as fit into 1 MB',
  client: (target, index, signal) => sendInTurn(target, MANY_PARTS, index, signal),
}
