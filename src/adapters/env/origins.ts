/** Why this is not the exact origin that browsers send; null when it is. */
const problemOf = (text: string): string | null => {
  if (text.includes('*')) return 'no star in an origin, because only exact ones count (* alone stands for all)'
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(text) ?? []
  if (scheme === '' || !URL.canParse(text)) return `an origin such as https://app.example.com in place of ${text}`
  const { origin } = new URL(text)
  if (origin === 'null') {
    // A scheme that only some application knows, such as `capacitor://localhost`: sent as it is registered.
    const isExact = scheme !== 'file' && /^[a-z0-9.+-]+:\/\/[^/?#@\s,"]+$/.test(text)
    return isExact ? null : `an origin without a path, in lower case, in place of ${text}`
  }
  if (!/^https?$/i.test(scheme)) return `an origin that a page can have in place of ${text}`
  if (origin === text) return null
  return rest.includes('@') ? 'no user in an origin' : `${origin}, which is how browsers send it, in place of ${text}`
}

/**
 * The origins of a comma list, or `*`. Throws an `Error` that says what is wrong with the first of them that no browser
 * would ever send.
 */
export const parseOrigins = (text: string): '*' | readonly string[] => {
  if (text === '*') return '*'
  const list = text.split(',').map((origin) => origin.trim())
  for (const origin of list) {
    const problem = problemOf(origin)
    if (problem !== null) throw new Error(`expected ${problem}`)
  }
  return list
}
