/** Bytes from `first` to `last`, both included, counted from 0. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

const SINGLE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i

/**
 * Which bytes of `size` a `Range` header requests (RFC 9110 section 14). Several ranges, another unit or a malformed
 * range request the whole content, because section 14.2 allows a server to ignore the header.
 */
export const requestedRange = (header: string | null, size: number): ByteRange | 'whole' | 'unsatisfiable' => {
  const [, from = '', to = ''] = (header === null ? null : SINGLE_RANGE.exec(header)) ?? []
  if (from === '' && to === '') return 'whole'
  if (from === '') {
    const length = Number(to)
    if (length === 0) return 'unsatisfiable'
    // Empty content has no first byte, so no range can describe it.
    return size === 0 ? 'whole' : { first: Math.max(0, size - length), last: size - 1 }
  }
  const first = Number(from)
  const last = to === '' ? Number.POSITIVE_INFINITY : Number(to)
  if (last < first) return 'whole'
  return first >= size ? 'unsatisfiable' : { first, last: Math.min(last, size - 1) }
}
