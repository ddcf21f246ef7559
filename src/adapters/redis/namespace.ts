/** Names of what an installation keeps in Redis. Another installation on the same Redis has other names. */
export interface Namespace {
  /** The name of a channel or of something there is one of. */
  name(of: string): string
  /** A name derived from text that a user may have chosen. It does not reveal the text, and no two texts have the same. */
  hidden(of: string, text: string): string
}

/** All processes of an installation share its secret, and no other has it. */
export const createNamespace = (secret: string): Namespace => {
  const digest = (label: string, text: string) =>
    new Bun.CryptoHasher('sha256', secret).update(`skep redis ${label}\0${text}`).digest('base64url')
  const prefix = `skep:${digest('namespace', '').slice(0, 16)}`
  return {
    name: (of) => `${prefix}:${of}`,
    hidden: (of, text) => `${prefix}:${of}:${digest(of, text)}`,
  }
}
