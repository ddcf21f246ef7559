/** The reason why a text is not an exact origin as browsers send it; null if it is one. */
const problemOf = (text: string): string | null => {
  if (text.includes('*')) return `${text} is none, because only exact ones count (* alone stands for all)`
  const [, scheme = ''] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? []
  if (scheme === '' || !URL.canParse(text)) return `${text} is none`
  const { origin, username } = new URL(text)
  if (origin === 'null') {
    // A custom scheme of an app, such as `capacitor://localhost`, which is sent as registered.
    const isExact = scheme !== 'file' && /^[a-z0-9.+-]+:\/\/[^/?#@\s,"]+$/.test(text)
    return isExact ? null : `${text} is none: write it without a path, in lower case`
  }
  if (!/^https?$/i.test(scheme)) return `no page has the origin ${text}`
  if (origin === text) return null
  return username === '' ? `browsers send ${origin} in place of ${text}` : 'an origin names no user'
}

/**
 * The origins of a comma-separated list, or `*`. Throws an `Error` that describes the first one that no browser would
 * ever send.
 */
export const parseOrigins = (text: string): '*' | readonly string[] => {
  if (text === '*') return '*'
  const list = text.split(',').map((origin) => origin.trim())
  for (const origin of list) {
    const problem = problemOf(origin)
    if (problem !== null)
      throw new Error(`expected a comma list of origins such as https://app.example.com, or *: ${problem}`)
  }
  return list
}
