import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

/** Creates the data folder, readable only by its owner, if it does not exist. */
export const makeDataDir = (path: string): void => {
  if (existsSync(path)) return
  mkdirSync(path, { recursive: true })
  chmodSync(path, 0o700)
}

const MIN_SECRET_BYTES = 32

const newSecret = (): string => crypto.getRandomValues(new Uint8Array(48)).toBase64()

/** Writes the file atomically, readable only by its owner. */
const replaceFile = (path: string, content: string): void => {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, content, { mode: 0o600, flush: true })
  renameSync(draft, path)
}

const readSecret = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new Error(`${path} cannot be read: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}

/** Path of the secret in the data folder. */
export const secretPath = (dataDir: string): string => join(dataDir, 'jwt-secret')

/**
 * The secret in the data folder, created on first use with mode 0600. Two processes that start concurrently use the
 * same one. Throws if the stored secret is too short.
 */
export const keptSecret = (dataDir: string): string => {
  const path = secretPath(dataDir)
  if (!existsSync(path)) {
    const draft = `${path}.${process.pid}`
    writeFileSync(draft, newSecret(), { mode: 0o600, flush: true })
    try {
      linkSync(draft, path)
    } catch (error) {
      if (!existsSync(path)) throw error
    } finally {
      rmSync(draft)
    }
  }
  const secret = readSecret(path)
  if (Buffer.byteLength(secret) < MIN_SECRET_BYTES) throw new Error(`${path} has fewer than ${MIN_SECRET_BYTES} bytes`)
  return secret
}

/** Which of the data folder and its secret are accessible by users other than the owner, and their modes. */
export const exposedPaths = (dataDir: string): readonly { readonly path: string; readonly mode: string }[] =>
  [dataDir, secretPath(dataDir)].flatMap((path) => {
    const mode = (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777
    return (mode & 0o077) === 0 ? [] : [{ path, mode: mode.toString(8).padStart(4, '0') }]
  })

/** A replaced secret, and when the server stopped signing with it, in milliseconds since 1970. */
export interface PreviousSecret {
  readonly secret: string
  readonly retiredAt: number
}

const previousPath = (dataDir: string): string => `${secretPath(dataDir)}.previous`

const readPrevious = (path: string): { readonly secret: string; readonly retiredAt: number | null } => {
  const [secret = '', retiredAt] = readSecret(path).split('\n')
  return { secret, retiredAt: retiredAt === undefined ? null : Number(retiredAt) }
}

/**
 * Creates a new secret, which the server uses from its next start, and keeps the old one as the previous secret. Throws
 * if there is no secret yet.
 */
export const rotateSecret = (dataDir: string): void => {
  if (!existsSync(secretPath(dataDir))) throw new Error(`there is no ${secretPath(dataDir)} to rotate`)
  replaceFile(previousPath(dataDir), keptSecret(dataDir))
  replaceFile(secretPath(dataDir), newSecret())
}

/**
 * The previous secret. It counts as retired from the first call, at the start of the first server that no longer signs
 * with it. Null if there is none.
 */
export const previousSecret = (dataDir: string, now: number): PreviousSecret | null => {
  const path = previousPath(dataDir)
  if (!existsSync(path)) return null
  const { secret, retiredAt } = readPrevious(path)
  // The process ended between the two steps of a rotation.
  if (secret === keptSecret(dataDir)) return null
  if (retiredAt === null) replaceFile(path, `${secret}\n${now}`)
  return { secret, retiredAt: retiredAt ?? now }
}
