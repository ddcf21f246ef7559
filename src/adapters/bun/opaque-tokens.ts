import type { OpaqueTokens } from '../../application/ports/security.ts'

export const opaqueTokens: OpaqueTokens = {
  generate: () => crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: 'base64url', omitPadding: true }),
  hash: (token) => new Bun.CryptoHasher('sha256').update(token).digest(),
}
