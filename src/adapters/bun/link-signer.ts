import { hkdfSync, timingSafeEqual } from 'node:crypto'
import type { LinkSigner, SignedBackupParts, SignedParts } from '../../application/ports/security.ts'

/** What links of one kind say. */
interface LinkKind<Parts> {
  /** Derives the key, so that no signature is valid for another kind. */
  readonly label: string
  /** Numbers without leading zeros, separated by dots, so that no two links have the same text. */
  textOf(parts: Parts): string
}

const FILE_LINKS: LinkKind<SignedParts> = {
  label: 'skep file links',
  textOf: ({ fileId, linkId, expires }) => `${fileId}.${linkId}.${expires}`,
}

const BACKUP_LINKS: LinkKind<SignedBackupParts> = {
  label: 'skep backup links',
  textOf: ({ backupId, sessionId, sessionCreatedAt, expires }) =>
    `${backupId}.${sessionId}.${sessionCreatedAt}.${expires}`,
}

/** HMAC-SHA-256 (RFC 2104) under a separate key, derived from the secret (HKDF, RFC 5869). */
const macUnder = <Parts>({ label, textOf }: LinkKind<Parts>, secret: string) => {
  const key = new Uint8Array(hkdfSync('sha256', secret, '', label, 32))
  return (parts: Parts) => new Bun.CryptoHasher('sha256', key).update(textOf(parts)).digest()
}

const createSigner = <Parts>(kind: LinkKind<Parts>, secret: string, previous: readonly string[]): LinkSigner<Parts> => {
  const current = macUnder(kind, secret)
  const macs = [current, ...previous.map((old) => macUnder(kind, old))]
  return {
    sign: (parts) => current(parts).toString('base64url'),
    verify(parts, signature) {
      const given = Buffer.from(signature, 'base64url')
      // The same bytes have several spellings; only the canonical one is accepted.
      const isOurs = given.toString('base64url') === signature
      return macs.some((mac) => {
        const expected = mac(parts)
        return isOurs && given.length === expected.length && timingSafeEqual(given, expected)
      })
    },
  }
}

/**
 * Signs with `secret`. Signatures of the `previous` secrets verify too, because a link also has a row and an expiry.
 */
export const createLinkSigner = (secret: string, previous: readonly string[] = []): LinkSigner =>
  createSigner(FILE_LINKS, secret, previous)

/** For links to archives, which live too short to outlast a secret. */
export const createBackupLinkSigner = (secret: string): LinkSigner<SignedBackupParts> =>
  createSigner(BACKUP_LINKS, secret, [])
