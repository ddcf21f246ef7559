import { type Detector, fileTypeFromTokenizer } from 'file-type'
import type { SniffContentType } from '../../application/ports/blobs.ts'
import { createTokenizer } from './tokenizer.ts'

/** Answers for gzip what `file-type` does, which inflates up to 16 MB first to recognise a `.tar.gz` by its extension. */
const GZIP: Detector = {
  id: 'gzip',
  async detect(tokenizer) {
    const signature = new Uint8Array(3)
    await tokenizer.peekBuffer(signature, { mayBeLess: true })
    const isGzip = signature[0] === 0x1f && signature[1] === 0x8b && signature[2] === 0x08
    return isGzip ? { ext: 'gz', mime: 'application/gzip' } : undefined
  },
}

/** What `file-type` answers, by what it is called here: an animated PNG is a PNG. */
const NAMES: Readonly<Record<string, string>> = { 'image/apng': 'image/png' }

/** Detects types by the signatures that the package `file-type` knows. */
export const sniffContentType: SniffContentType = async (content) => {
  const found = await fileTypeFromTokenizer(createTokenizer(content), { customDetectors: [GZIP] })
  const type = found?.mime.toLowerCase() ?? null
  return type === null ? null : (NAMES[type] ?? type)
}
