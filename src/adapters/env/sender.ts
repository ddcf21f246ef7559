import { domainToASCII } from 'node:url'
import type { Sender } from '../../domain/mail.ts'

const ADDRESS = /^[^\s<>@,;:"()[\]\\\p{Cc}]{1,64}@[^\s<>@,;:"()[\]\\\p{Cc}]{1,253}$/u
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u
const QUOTED = /^"((?:[^"\\]|\\.)*)"$/
const NAME_AND_ADDRESS = /^(.*)<([^<>]*)>$/
/** The older syntax: the name as a comment after the address. */
const ADDRESS_AND_COMMENT = /^(\S+)\s+\(([^()]*)\)$/

const SEVERAL = 'expected one address, not several'

const addressIn = (text: string): string | null => {
  const domain = text.slice(text.lastIndexOf('@') + 1)
  return ADDRESS.test(text) && domainToASCII(domain) !== '' ? text : null
}

/** Null if the text before the address contains another address. */
const nameIn = (text: string): string | null => {
  const quoted = QUOTED.exec(text)?.[1]
  if (quoted !== undefined) return quoted.replace(/\\(.)/g, '$1')
  return /[<>]/.test(text) || /@[^,;]*[,;]|[,;].*@/.test(text) ? null : text
}

/**
 * The sender of mail: `NAME <ADDRESS>`, `ADDRESS (NAME)` or `ADDRESS`. A name is used literally, without surrounding
 * quotes: a colon does not start a group and parentheses are not a comment. Null if there is no valid address. Throws
 * an `Error` for several addresses.
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
