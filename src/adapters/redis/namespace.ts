/**
 * Names of an installation's keys and channels in Redis. Another installation on the same Redis has different names.
 */
export interface Namespace {
  /** The name of a channel or of a single key. */
  name(of: string): string
  /** A name derived from user-supplied text: it does not reveal the text, and different texts have different names. */
  hidden(of: string, text: string): string
}

/** All processes of an installation share its secret, and no other installation has it. */
export const createNamespace = (secret: string): Namespace => {
  const digest = (label: string, text: string) =>
    new Bun.CryptoHasher('sha256', secret).update(`skep redis ${label}\0${text}`).digest('base64url')
  const prefix = `skep:${digest('namespace', '').slice(0, 16)}`
  return {
    name: (of) => `${prefix}:${of}`,
    hidden: (of, text) => `${prefix}:${of}:${digest(of, text)}`,
  }
}
