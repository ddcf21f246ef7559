import type { Attack } from './attack.ts'

const LAST = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Texts that a lenient decoder takes for the same token, no two alike for one `n`. */
const spelled = (token: string, n: number): string => {
  const end = `${token.slice(0, -1)}${LAST[(LAST.indexOf(token.at(-1) ?? '') & ~3) | (n & 3)]}`
  const cut = 1 + (n % 40)
  // A space can stand in a header, and lenient decoders skip it.
  const spaced = `${end.slice(0, -cut)}${' '.repeat(1 + (Math.floor(n / 160) % 50))}${end.slice(-cut)}`
  return n % 3 === 0 ? `${spaced}=` : n % 3 === 1 ? spaced.replaceAll('_', '/').replaceAll('-', '+') : spaced
}

/** One access token in as many spellings as there are. */
export const attack: Attack = {
  id: 'A7',
  about: 'one access token in thousands of spellings',
  async client({ url, token }, index, signal) {
    for (let n = index; !signal.aborted; n += 64) {
      const presented = n % 50 === 0 ? token : spelled(token, n)
      try {
        const response = await fetch(`${url}/api/v1/users/me`, {
          headers: { authorization: `Bearer ${presented}` },
          signal,
        })
        await response.arrayBuffer()
        if (response.ok && presented !== token) throw new Error('another spelling of a token was accepted')
        if (response.status === 429) await Bun.sleep(20)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  },
}
