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

/** Types that are known to be recognised without asking the library: those of the default, and content without a signature. */
const KNOWN: readonly string[] = ['image/jpeg', 'image/png', 'text/plain', 'application/octet-stream']

/** Every type that can be detected from content. The library is loaded on demand, because it would make every start longer. */
const recognised = (): readonly string[] => {
  const { supportedMimeTypes } = require('file-type') as typeof import('file-type')
  return [...KNOWN, ...[...supportedMimeTypes].map((type) => type.toLowerCase().replace(/;.*$/, ''))]
}

const isRecognised = (type: string): boolean => {
  if (KNOWN.includes(type)) return true
  if (!type.endsWith('/*')) return recognised().includes(type)
  return recognised().some((known) => known.startsWith(type.slice(0, -1)))
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
