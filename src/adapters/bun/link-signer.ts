import { hkdfSync, timingSafeEqual } from 'node:crypto'
import type { LinkSigner, SignedParts } from '../../application/ports/security.ts'

/** HMAC-SHA-256 (RFC 2104) under a key of its own, derived from `secret` (HKDF, RFC 5869). */
export const createLinkSigner = (secret: string): LinkSigner => {
  const key = new Uint8Array(hkdfSync('sha256', secret, '', 'skep file links', 32))
  // Numbers without leading zeros between dots: no two links have the same text.
  const mac = ({ fileId, linkId, expires }: SignedParts) =>
    new Bun.CryptoHasher('sha256', key).update(`${fileId}.${linkId}.${expires}`).digest()
  return {
    sign: (parts) => mac(parts).toString('base64url'),
    verify(parts, signature) {
      const expected = mac(parts)
      const given = Buffer.from(signature, 'base64url')
      // The same bytes have several spellings: only ours counts.
      return (
        given.length === expected.length &&
        timingSafeEqual(given, expected) &&
        given.toString('base64url') === signature
      )
    },
  }
}
