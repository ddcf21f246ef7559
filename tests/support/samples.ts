import { join } from 'node:path'

/** Files that common libraries wrote, compressed so that they stay small. */
export const SAMPLES = {
  /** Pillow: one PNG with an `acTL` chunk. */
  'animated.png': 'image/png',
  /** libtiff, LZW: the directory is behind the picture. */
  'libtiff-lzw.tif': 'image/tiff',
  /** The same without compression, so that it is large. */
  'libtiff-raw.tif': 'image/tiff',
  'odfpy.odt': 'application/vnd.oasis.opendocument.text',
  /** openpyxl writes `[Content_Types].xml` last. */
  'openpyxl.xlsx': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  /** The same, stored without compression, so that it is large. */
  'openpyxl-stored.xlsx': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  'python-docx.docx': 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'python-pptx.pptx': 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
} as const

export type Sample = keyof typeof SAMPLES

export const sample = async (name: Sample): Promise<Uint8Array<ArrayBuffer>> =>
  Bun.gunzipSync(await Bun.file(join(import.meta.dir, 'samples', `${name}.gz`)).bytes())
