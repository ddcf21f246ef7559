import { supportedMimeTypes } from 'file-type'

/** Common names of types, and the names under which they are detected. */
const ALIASES: Readonly<Record<string, string>> = {
  'application/rar': 'application/x-rar-compressed',
  'application/vnd.rar': 'application/x-rar-compressed',
  'application/x-gzip': 'application/gzip',
  'application/x-pdf': 'application/pdf',
  'application/x-zip': 'application/zip',
  'application/x-zip-compressed': 'application/zip',
  'audio/m4a': 'audio/x-m4a',
  'audio/mp3': 'audio/mpeg',
  'audio/vnd.wave': 'audio/wav',
  'audio/wave': 'audio/wav',
  'audio/x-flac': 'audio/flac',
  'audio/x-wav': 'audio/wav',
  'image/apng': 'image/png',
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/tif': 'image/tiff',
  'image/vnd.microsoft.icon': 'image/x-icon',
  'image/x-bmp': 'image/bmp',
  'image/x-ms-bmp': 'image/bmp',
  'image/x-png': 'image/png',
  'text/rtf': 'application/rtf',
  'text/xml': 'application/xml',
  'video/avi': 'video/vnd.avi',
  'video/msvideo': 'video/vnd.avi',
  'video/x-matroska': 'video/matroska',
  'video/x-msvideo': 'video/vnd.avi',
}

/** Every type that can be detected from content; the last two are for content without a signature. */
const RECOGNISED: ReadonlySet<string> = new Set([
  ...[...supportedMimeTypes].map((type) => type.toLowerCase().replace(/;.*$/, '')),
  'text/plain',
  'application/octet-stream',
])

const isRecognised = (type: string): boolean => {
  if (!type.endsWith('/*')) return RECOGNISED.has(type)
  return [...RECOGNISED].some((known) => known.startsWith(type.slice(0, -1)))
}

/**
 * The types of a comma-separated list, under the names with which they are detected; null if the list is malformed.
 * Throws an `Error` that names types that can never be detected, because listing them would have no effect.
 */
export const parseUploadTypes = (text: string): '*/*' | readonly string[] | null => {
  if (text.trim() === '*/*') return '*/*'
  const given = text.split(',').map((type) => type.trim().toLowerCase())
  if (!given.every((type) => /^[\w.+-]+\/(?:[\w.+-]+|\*)$/.test(type))) return null
  const types = given.map((type) => ALIASES[type] ?? type)
  const never = types.filter((type) => !isRecognised(type))
  if (never.length > 0) {
    throw new Error(
      `expected a comma list of types that content can be recognised as, which it never is as ${never.join(', ')}`,
    )
  }
  return [...new Set(types)]
}
