import type { Detector } from 'file-type'
import type { SniffContentType } from '../../application/ports/blobs.ts'
import { createTokenizer } from './tokenizer.ts'

/** Detects gzip like `file-type`, which would decompress up to 16 MB first to find the extension of a `.tar.gz`. */
const GZIP: Detector = {
  id: 'gzip',
  async detect(tokenizer) {
    const signature = new Uint8Array(3)
    await tokenizer.peekBuffer(signature, { mayBeLess: true })
    const isGzip = signature[0] === 0x1f && signature[1] === 0x8b && signature[2] === 0x08
    return isGzip ? { ext: 'gz', mime: 'application/gzip' } : undefined
  },
}

/** Types of `file-type` that have a different name here: an animated PNG is a PNG. */
const NAMES: Readonly<Record<string, string>> = { 'image/apng': 'image/png' }

/** Detects types by the signatures that the package `file-type` knows. */
export const sniffContentType: SniffContentType = async (content) => {
  // Loaded for the first file, because it would make every start longer.
  const { fileTypeFromTokenizer } = await import('file-type')
  const found = await fileTypeFromTokenizer(createTokenizer(content), { customDetectors: [GZIP] })
  const type = found?.mime.toLowerCase() ?? null
  return type === null ? null : (NAMES[type] ?? type)
}
