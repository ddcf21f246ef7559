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

/** Makes the data folder, readable by its owner alone, unless it exists. */
export const makeDataDir = (path: string): void => {
  if (existsSync(path)) return
  mkdirSync(path, { recursive: true })
  chmodSync(path, 0o700)
}

const MIN_SECRET_BYTES = 32

const newSecret = (): string => crypto.getRandomValues(new Uint8Array(48)).toBase64()

/** Whole or not at all, and readable by its owner alone. */
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

/** Where the data folder keeps its secret. */
export const secretPath = (dataDir: string): string => join(dataDir, 'jwt-secret')

/**
 * The secret kept in the data folder with mode 0600, made at first need.
 * Two processes that start at once agree on one. Throws when what is kept is too short to be a secret.
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
  if (Buffer.byteLength(secret) < MIN_SECRET_BYTES) throw new Error(`${path} holds less than ${MIN_SECRET_BYTES} bytes`)
  return secret
}

/** The data folder and its secret, as far as other users can access them, with their modes. */
export const exposedPaths = (dataDir: string): readonly { readonly path: string; readonly mode: string }[] =>
  [dataDir, secretPath(dataDir)].flatMap((path) => {
    const mode = (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777
    return (mode & 0o077) === 0 ? [] : [{ path, mode: mode.toString(8).padStart(4, '0') }]
  })

/** A secret that was replaced, and when the server stopped to sign with it, in milliseconds since 1970. */
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
 * Makes a new secret, which the server uses from its next start, and keeps the one before it as the previous. Throws when
 * there is none yet.
 */
export const rotateSecret = (dataDir: string): void => {
  if (!existsSync(secretPath(dataDir))) throw new Error(`there is no ${secretPath(dataDir)} to rotate`)
  replaceFile(previousPath(dataDir), keptSecret(dataDir))
  replaceFile(secretPath(dataDir), newSecret())
}

/**
 * The secret before the one in use. It counts as retired from the first call, which is the start of the first server
 * that no longer signs with it. Null when there is none.
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
