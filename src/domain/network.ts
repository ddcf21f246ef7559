/** The eight groups of an IPv6 address, without leading zeros. */
const expand = (address: string): readonly string[] => {
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  return [...left, ...Array<string>(zeros).fill('0'), ...right].map((group) => Number.parseInt(group, 16).toString(16))
}

/** An IPv6 network: its first `bits`, all within the first four groups. */
const network = (groups: readonly string[], bits: number): string => {
  const whole = groups.slice(0, Math.floor(bits / 16))
  const rest = bits % 16
  if (rest > 0) {
    const group = Number.parseInt(groups[whole.length] ?? '0', 16)
    whole.push((group & (0xffff << (16 - rest))).toString(16))
  }
  return `${whole.join(':')}::/${bits}`
}

/**
 * Networks that one party may control, narrowest first: a limit on the wider ones bounds a party with many narrow ones.
 */
export interface Networks {
  /** What counts as one client: an IPv4 address, or the /64 of an IPv6 subscriber. */
  readonly client: string
  /** The /56 and the /48 around it; none for IPv4. */
  readonly wider: readonly string[]
  /** The widest of its networks. */
  readonly widest: string
}

export const networksOf = (address: string): Networks => {
  if (!address.includes(':')) return { client: address, wider: [], widest: address }
  const groups = expand(address)
  const widest = network(groups, 48)
  return { client: network(groups, 64), wider: [network(groups, 56), widest], widest }
}
