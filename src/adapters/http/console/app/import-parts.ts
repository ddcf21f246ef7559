const NEWLINE = 10

/** A part is at least so large, and large files have no more than so many. */
const MIN_PART_BYTES = 64 * 1_024
const MAX_PARTS_COUNT = 100

/** What has no line that ends within this is sent as it is, for the server to refuse. */
const MAX_LINE_BYTES = 16 * 1_024 * 1_024

export interface Part {
  readonly body: Blob
  /** The lines of the file before it. */
  readonly linesBefore: number
  /** The share of the file, from 0 to 1, that has been sent when this part has been sent. */
  readonly share: number
}

/** Where the last line of the bytes ends, 0 if none does, and how many lines end. */
const endOfLines = async (bytes: Blob): Promise<{ end: number; lines: number }> => {
  const content = new Uint8Array(await bytes.arrayBuffer())
  const end = content.lastIndexOf(NEWLINE) + 1
  let lines = 0
  for (let at = 0; at < end; at++) if (content[at] === NEWLINE) lines++
  return { end, lines }
}

/** A file of lines in parts of whole lines, so that an import can tell how far it is. */
export const partsOf = async function* (file: Blob): AsyncGenerator<Part> {
  const partBytes = Math.max(MIN_PART_BYTES, Math.ceil(file.size / MAX_PARTS_COUNT))
  let from = 0
  let linesBefore = 0
  while (from < file.size) {
    let length = partBytes
    let { end, lines } = await endOfLines(file.slice(from, from + length))
    while (end === 0 && from + length < file.size && length < MAX_LINE_BYTES) {
      length *= 2
      ;({ end, lines } = await endOfLines(file.slice(from, from + length)))
    }
    const isRest = end === 0 || from + length >= file.size
    const to = isRest ? file.size : from + end
    yield { body: file.slice(from, to), linesBefore, share: to / file.size }
    from = to
    linesBefore += lines
  }
}
