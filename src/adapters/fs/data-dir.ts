import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Makes the data folder, readable by its owner alone, unless it exists. */
export const makeDataDir = (path: string): void => {
  if (existsSync(path)) return
  mkdirSync(path, { recursive: true })
  chmodSync(path, 0o700)
}

const SHORTEST = 32

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
    writeFileSync(draft, crypto.getRandomValues(new Uint8Array(48)).toBase64(), { mode: 0o600, flush: true })
    try {
      linkSync(draft, path)
    } catch (error) {
      if (!existsSync(path)) throw error
    } finally {
      rmSync(draft)
    }
  }
  const secret = readSecret(path)
  if (Buffer.byteLength(secret) < SHORTEST) throw new Error(`${path} holds less than ${SHORTEST} bytes`)
  return secret
}

/** Which of the data folder and its secret have rights for others than their owner, and which rights they have. */
export const exposed = (dataDir: string): readonly { readonly path: string; readonly mode: string }[] =>
  [dataDir, secretPath(dataDir)].flatMap((path) => {
    const mode = (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777
    return (mode & 0o077) === 0 ? [] : [{ path, mode: mode.toString(8).padStart(4, '0') }]
  })
