import { hkdfSync, timingSafeEqual } from 'node:crypto'
import type { LinkSigner, SignedParts } from '../../application/ports/security.ts'

/** HMAC-SHA-256 (RFC 2104) under a separate key, derived from the secret (HKDF, RFC 5869). */
const macUnder = (secret: string) => {
  const key = new Uint8Array(hkdfSync('sha256', secret, '', 'skep file links', 32))
  // Numbers without leading zeros, separated by dots, so that no two links have the same text.
  return ({ fileId, linkId, expires }: SignedParts) =>
    new Bun.CryptoHasher('sha256', key).update(`${fileId}.${linkId}.${expires}`).digest()
}

/**
 * Signs with `secret`. Signatures of the `previous` secrets verify too, because a link also has a row and an expiry.
 */
export const createLinkSigner = (secret: string, previous: readonly string[] = []): LinkSigner => {
  const current = macUnder(secret)
  const macs = [current, ...previous.map(macUnder)]
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
