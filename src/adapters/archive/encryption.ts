import { Decrypter, Encrypter, generateIdentity, identityToRecipient } from 'age-encryption'
import { BadArchive } from '../../application/ports/backups.ts'

const isIdentity = (key: string): boolean => key.startsWith('AGE-SECRET-KEY-')

/** A new identity, and the recipient for it, as age-keygen prints them. */
export const generateKey = async (): Promise<{ readonly identity: string; readonly recipient: string }> => {
  const identity = await generateIdentity()
  return { identity, recipient: await identityToRecipient(identity) }
}

/** How a file of age begins, which the program `age` and this module write. */
const BEGINNING = new TextEncoder().encode('age-encryption.org/')

export const isEncrypted = (beginning: Uint8Array): boolean => BEGINNING.every((byte, at) => beginning[at] === byte)

/**
 * Encrypts in the format of age for a recipient, or for that of an identity. Throws if `key` is neither.
 */
export const encrypt = async (bytes: ReadableStream<Uint8Array>, key: string): Promise<ReadableStream<Uint8Array>> => {
  const encrypter = new Encrypter()
  encrypter.addRecipient(isIdentity(key) ? await identityToRecipient(key) : key)
  return encrypter.encrypt(bytes)
}

/** Throws a {@link BadArchive} if `key` is not the right one. */
export const decrypt = async (
  bytes: ReadableStream<Uint8Array>,
  key: string | undefined,
): Promise<ReadableStream<Uint8Array>> => {
  if (key === undefined) throw new BadArchive('is encrypted: set BACKUP_KEY')
  if (!isIdentity(key)) throw new BadArchive('is encrypted: set BACKUP_KEY to the identity of its recipient')
  const decrypter = new Decrypter()
  try {
    decrypter.addIdentity(key)
    return await decrypter.decrypt(bytes)
  } catch (error) {
    throw new BadArchive('cannot be decrypted with this BACKUP_KEY', { cause: error })
  }
}
