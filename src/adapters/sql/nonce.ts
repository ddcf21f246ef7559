const NONCE_BYTES = 6

/** 48 random bits, in digits and lower-case letters. */
export const newNonce = (): string =>
  Number.parseInt(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)).toHex(), 16).toString(36)
