import { domainToASCII } from 'node:url'
import type { Sender } from '../../domain/mail.ts'

const ADDRESS = /^[^\s<>@,;:"()[\]\\\p{Cc}]{1,64}@[^\s<>@,;:"()[\]\\\p{Cc}]{1,253}$/u
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u
const QUOTED = /^"((?:[^"\\]|\\.)*)"$/
const NAME_AND_ADDRESS = /^(.*)<([^<>]*)>$/
/** The older spelling: the name as a comment behind the address. */
const ADDRESS_AND_COMMENT = /^(\S+)\s+\(([^()]*)\)$/

const SEVERAL = 'expected one address, not several'

const addressIn = (text: string): string | null => {
  const domain = text.slice(text.lastIndexOf('@') + 1)
  return ADDRESS.test(text) && domainToASCII(domain) !== '' ? text : null
}

/** Null when the text before an address is no name but holds another address. */
const nameIn = (text: string): string | null => {
  const quoted = QUOTED.exec(text)?.[1]
  if (quoted !== undefined) return quoted.replace(/\\(.)/g, '$1')
  return /[<>]/.test(text) || /@[^,;]*[,;]|[,;].*@/.test(text) ? null : text
}

/**
 * The sender of mail: `NAME <ADDRESS>`, `ADDRESS (NAME)` or `ADDRESS`. A name is taken as it is written, without the
 * quotes around it: a colon makes no group of it and parentheses make no comment. Null for what is no address. Throws
 * an `Error` for several.
 */
export const parseSender = (given: string): Sender | null => {
  const text = given.trim()
  if (CONTROL.test(text)) return null
  const [, commented, comment = ''] = ADDRESS_AND_COMMENT.exec(text) ?? []
  const bare = addressIn(commented ?? text)
  if (bare !== null) return { name: comment.trim(), address: bare }
  const [, before = '', inside = ''] = NAME_AND_ADDRESS.exec(text) ?? []
  const address = addressIn(inside)
  const name = nameIn(before.trim())
  if (name === null || (address === null && /@.*[,;\s].*@/.test(text))) throw new Error(SEVERAL)
  return address === null ? null : { name, address }
}
