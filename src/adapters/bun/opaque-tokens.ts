import type { OpaqueTokens } from '../../application/ports/security.ts'

const encode = (bytes: Uint8Array) => bytes.toBase64({ alphabet: 'base64url', omitPadding: true })

/** Tokens of 256 bits. `secret` is what {@link OpaqueTokens.derive} rests on. */
export const createOpaqueTokens = (secret: string): OpaqueTokens => ({
  generate: () => encode(crypto.getRandomValues(new Uint8Array(32))),
  hash: (token) => new Bun.CryptoHasher('sha256').update(token).digest(),
  derive: (source) => encode(new Bun.CryptoHasher('sha256', `skep derived token ${secret}`).update(source).digest()),
})
