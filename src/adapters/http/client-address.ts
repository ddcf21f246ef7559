import { isIP } from 'node:net'

const withoutPort = (address: string): string => {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(address)
  if (bracketed?.[1] !== undefined) return bracketed[1]
  return /^[\d.]+:\d+$/.test(address) ? address.slice(0, address.lastIndexOf(':')) : address
}

/** An address in one spelling: without port, zone or IPv4-in-IPv6 prefix; null if it is not an address. */
const normalize = (address: string): string | null => {
  // A fast path for the usual spelling, because it runs for each log line.
  if (isIP(address) === 4) return address
  const bare = withoutPort(address.trim()).replace(/%.*$/, '').toLowerCase()
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1] ?? bare
  return isIP(mapped) === 0 ? null : mapped
}

/**
 * The address of the client. With `trusted` proxies in front, each of which appends the address it was called from to
 * X-Forwarded-For, it is the entry at that position from the right; entries to the left of it may be forged.
 */
export const clientAddress = (peer: string, forwardedFor: string | null, trusted: number): string => {
  const own = normalize(peer) ?? 'unknown'
  if (trusted === 0 || forwardedFor === null) return own
  const hops = forwardedFor.split(',')
  return normalize(hops[Math.max(0, hops.length - trusted)] ?? '') ?? own
}

/** Finds the client's address in a request. */
export type AddressOf = (request: Request) => string

interface Options {
  /** The address at the other end of the connection. */
  readonly peerOf: (request: Request) => string
  /** The number of trusted proxies. */
  readonly trustProxy: number
}

export const createAddressOf = ({ peerOf, trustProxy }: Options): AddressOf => {
  if (trustProxy > 0) {
    return (request) => clientAddress(peerOf(request), request.headers.get('x-forwarded-for'), trustProxy)
  }
  // Successive requests often come from the same peer.
  let latest = { peer: '', address: clientAddress('', null, 0) }
  return (request) => {
    const peer = peerOf(request)
    if (peer !== latest.peer) latest = { peer, address: clientAddress(peer, null, 0) }
    return latest.address
  }
}
