import { SERVER_ORIGIN } from '../domain/audit.ts'
import { archiveNameOf, type Backup } from '../domain/backup.ts'
import { audit } from './audit.ts'
import { type Attempt, type BackupDeps, beginAttempt, reasonOf, writeArchive } from './backup-jobs.ts'
import { discardArchive, newBackup } from './backups.ts'
import type { Archives, BackupRunner, WrittenArchive } from './ports/backups.ts'
import type { OpenSha256 } from './ports/transfer.ts'

interface Deps extends BackupDeps {
  /** Where the archive is written. */
  readonly archives: Pick<Archives, 'size' | 'read' | 'delete'>
  readonly openSha256: OpenSha256
}

/** A backup that is done. */
export interface MadeBackup extends WrittenArchive {
  readonly encrypted: boolean
  /** Of the archive. */
  readonly name: string
  /** What is not sound in it; null for nothing. */
  readonly detail: string | null
}

/** Whether an archive is there as it was written: under a name that anyone may give, somebody else's may follow. */
const isAsWritten = async ({ archives, openSha256 }: Deps, name: string, { size, sha256 }: WrittenArchive) => {
  const bytes = (await archives.size(name)) === size ? await archives.read(name, 0, size) : null
  if (bytes === null) return false
  const digest = openSha256()
  for await (const piece of bytes instanceof Blob ? bytes.stream() : bytes) digest.update(piece)
  return digest.end() === sha256
}

/**
 * Removes what a failed attempt has left; `written` is its archive, if that was complete. An archive in the archive store
 * has a name of its own. False if it may still be there.
 */
const removeArchive = async (
  deps: Deps,
  { name, isKept }: Attempt,
  written: WrittenArchive | null,
): Promise<boolean> => {
  try {
    const isOwn = isKept || (written !== null && (await isAsWritten(deps, name, written)))
    if (isOwn) await deps.archives.delete(name)
    return true
  } catch {
    return false
  }
}

/** A place for one archive besides the archive store. */
interface Elsewhere {
  /** Null to give it the name that the archive store would. */
  readonly name: string | null
}

/**
 * Makes a backup at once, beside a server or without one: in the archive store or elsewhere, and then it is not listed. If
 * it fails, its archive is removed.
 */
export const backUpNow = async (deps: Deps, elsewhere: Elsewhere | null, signal: AbortSignal): Promise<MadeBackup> => {
  const { unitOfWork, clock, runner } = deps
  const isKept = elsewhere === null
  const backup = await unitOfWork.write(async (tx) => {
    const now = clock.now()
    const begun = await tx.backups.insert(newBackup(now, runner.encrypts))
    await audit(tx, SERVER_ORIGIN, 'backup.created', { subject: `backups/${begun.id}`, now })
    return begun
  })
  const { id, createdAt, encrypted } = backup
  const name = elsewhere?.name ?? archiveNameOf(id, createdAt, encrypted)
  const attempt = { id, name, isKept }

  const end = (result: Partial<Backup>, isLeft = false) =>
    unitOfWork.write(async (tx) => {
      const now = clock.now()
      if (isLeft && isKept) await discardArchive(tx, name, now)
      if (!isKept) await tx.backups.delete(id)
      // It may have been removed since its lease expired.
      else if ((await tx.backups.findById(id)) !== null) {
        await tx.backups.update({ ...backup, ...result, finishedAt: now, leaseUntil: now })
      }
    })

  let written: WrittenArchive | null = null
  const noting: BackupRunner = {
    ...runner,
    async write(...args) {
      const result = await runner.write(...args)
      written = result
      return result
    },
  }
  const write = async () => {
    try {
      if (!(await beginAttempt(deps, attempt))) throw new Error('the backup was removed while it ran')
      return await writeArchive({ ...deps, runner: noting }, attempt, signal)
    } catch (error) {
      const isRemoved = await removeArchive(deps, attempt, written)
      await end({ state: 'failed', detail: reasonOf(error) }, !isRemoved)
      if (isRemoved || isKept) throw error
      throw new Error(`${reasonOf(error)}; its archive may still be there`, { cause: error })
    }
  }

  const made = await write()
  // If this fails, it may be recorded all the same: the archive stays.
  await end({ state: 'done', name, ...made })
  return { ...made, name, encrypted }
}
