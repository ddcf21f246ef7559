import type { OpenSha256 } from '../../application/ports/transfer.ts'

export const openSha256: OpenSha256 = () => {
  const hasher = new Bun.CryptoHasher('sha256')
  return { update: (bytes) => void hasher.update(bytes), end: () => hasher.digest('hex') }
}
