import { describe, expect, test } from 'bun:test'
import { failAbandonedBackups, newBackup, startBackup } from '../../src/application/backups.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import { SERVER_ORIGIN } from '../../src/domain/audit.ts'
import { archiveNameOf, BACKUP_LEASE_MS } from '../../src/domain/backup.ts'
import { AppError } from '../../src/domain/errors.ts'
import { type BackupProcesses, createBackupProcesses } from '../support/backup-processes.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const NIGHTLY = '0 3 * * *'

/** The attempts at one backup, of which all but the first wait until they are released. */
const createHeldAttempts = () => {
  const archives: string[] = []
  const second = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  return {
    /** Of the attempts that have begun, in their order. */
    archives,
    /** Resolves when the second attempt has begun. */
    second: second.promise,
    release: released.resolve,
    /** Call it when an attempt begins. False at once for the first one; true for others, once they are released. */
    async hold(archive: string): Promise<boolean> {
      if (archives.push(archive) === 1) return false
      second.resolve()
      await released.promise
      return true
    },
  }
}

/** What every engine promises of the jobs that make and remove backups. */
export const backupJobsContract = (name: string, open: () => Promise<BackupProcesses>) => {
  describe(`jobs of backups on ${name}`, () => {
    test('make one backup at each time of the schedule, however many processes serve the database', async () => {
      const { clock, prepare, work, backups } = createBackupProcesses(await open(), { schedule: NIGHTLY })
      await prepare()
      clock.advance(3 * HOUR_MS - 1)
      await work()
      expect(await backups()).toEqual([])
      for (const count of [1, 2, 3]) {
        clock.advance(count === 1 ? 1 : DAY_MS)
        await prepare()
        await work()
        const made = await backups()
        expect(made.map(({ state }) => state)).toEqual(Array(count).fill('done'))
        expect(made[0]?.createdAt).toBe(clock.now())
      }
    })

    test('make one backup for all the times that were missed', async () => {
      const { clock, prepare, work, backups } = createBackupProcesses(await open(), { schedule: NIGHTLY })
      await prepare()
      clock.advance(5 * DAY_MS)
      await prepare()
      await work()
      expect(await backups()).toHaveLength(1)
    })

    test('keep the newest BACKUP_KEEP archives, among which no failed backup counts', async () => {
      const { clock, backUp, backups, archives } = createBackupProcesses(await open(), { keptCount: 2 })
      const failing = async () => {
        throw new Error('the disk is full')
      }
      for (const write of [undefined, undefined, failing, undefined, failing]) {
        clock.advance(DAY_MS)
        await backUp(write)
      }
      const kept = await backups()
      expect(kept.map(({ id, state }) => [id, state])).toEqual([
        [5, 'failed'],
        [4, 'done'],
        [3, 'failed'],
        [2, 'done'],
      ])
      expect(kept[0]?.detail).toBe('the disk is full')
      const sizes = await Promise.all(kept.map(({ name }) => (name === null ? null : archives.size(name))))
      expect(sizes).toEqual([null, 10, null, 10])
      expect(await archives.size('skep-20300102T000000Z-1.tar.zst')).toBeNull()
    })

    test('keep the bytes of a deleted file until the backup has ended', async () => {
      const { clock, blobs, processes, work, backUp, writeSound, deleteFile } = createBackupProcesses(await open())
      const key = await deleteFile()
      const sizes: (number | null)[] = []
      await backUp(async (archive) => {
        await processes[1].work()
        sizes.push(await blobs.size(key))
        return writeSound(archive)
      })
      expect(sizes).toEqual([5])
      clock.advance(HOUR_MS)
      await work()
      expect(await blobs.size(key)).toBeNull()
    })

    test('remove the bytes when the lease of a backup has expired, and then that attempt of the backup fails', async () => {
      const { clock, archives, blobs, processes, backUp, writeSound, deleteFile, backups } = createBackupProcesses(
        await open(),
      )
      const attempts: string[] = []
      const sizes: (number | null)[] = []
      await backUp(async (archive) => {
        attempts.push(archive)
        if (attempts.length > 1) return writeSound(archive)
        clock.advance(BACKUP_LEASE_MS)
        const key = await deleteFile()
        // The other process removes the bytes, and takes over the backup.
        await processes[1].work()
        sizes.push(await blobs.size(key))
        return writeSound(archive)
      })
      expect(sizes).toEqual([null])
      const [first = '', second = ''] = attempts
      expect(await backups()).toMatchObject([{ state: 'done', name: second, size: 10 }])
      expect(await archives.size(first)).toBeNull()
      expect(await archives.size(second)).toBe(10)
    })

    test.each([
      ['a minute', 60_000],
      ['less than a second', 0],
    ])('remove what a process that was killed %s ago left of a backup, and make it anew', async (_, ageMs) => {
      const processes = await open()
      const { clock, archives, work, writeSound, backups } = createBackupProcesses(processes)
      const left = archiveNameOf(1, clock.now() - ageMs, false)
      await writeSound(left)
      const sort = { field: 'created_at', descending: true } as const
      await processes.one.write(async (tx) => {
        await startBackup(tx, { now: clock.now(), encrypts: false, by: SERVER_ORIGIN })
        const [begun] = (await tx.backups.list({ size: 1, sort, from: { page: 1 } })).items
        if (begun !== undefined) await tx.backups.update({ ...begun, name: left })
      })
      await work()
      const [made] = await backups()
      expect(made).toMatchObject({ state: 'done', size: 10 })
      expect(await archives.size(left)).toBeNull()
      expect(await archives.size(made?.name ?? '')).toBe(10)
    })

    test('keep the archive of the process that has taken over a backup, though the other one had written its own', async () => {
      const stores = await open()
      const attempts = createHeldAttempts()
      let isWritten = false
      let second: Promise<void> | null = null
      let writes = 0
      const one: Store = {
        ...stores.one,
        async write(work) {
          // The first write renews the lease, the second one records the end.
          if (isWritten && ++writes === 2) {
            second = processes[1].work()
            await attempts.second
          }
          return stores.one.write(work)
        },
      }
      const { clock, archives, processes, begin, writeSound, backups } = createBackupProcesses({ ...stores, one })
      await begin(async (archive) => {
        if (await attempts.hold(archive)) return writeSound(archive)
        // Longer than the lease of the job, and shorter than that of the backup.
        clock.advance(BACKUP_LEASE_MS / 2)
        const written = await writeSound(archive)
        isWritten = true
        return written
      })
      await processes[0].work()
      attempts.release()
      await second
      await processes[0].work()
      const [first = '', last = ''] = attempts.archives
      expect(await backups()).toMatchObject([{ state: 'done', name: last }])
      expect(await archives.size(last)).toBe(10)
      expect(await archives.size(first)).toBeNull()
    })

    test('keep the archive of a backup whose end was recorded, though the process did not learn of it', async () => {
      const stores = await open()
      let isWritten = false
      let writes = 0
      const one: Store = {
        ...stores.one,
        async write(work) {
          const result = await stores.one.write(work)
          if (isWritten && ++writes === 2) throw new AppError('unavailable', 'The connection ended')
          return result
        },
      }
      const { processes, begin, work, writeSound, backups, archives } = createBackupProcesses({ ...stores, one })
      await begin(async (archive) => {
        const written = await writeSound(archive)
        isWritten = true
        return written
      })
      await processes[0].work()
      await work()
      const [made] = await backups()
      expect(made).toMatchObject({ state: 'done', size: 10 })
      expect(await archives.size(made?.name ?? '')).toBe(10)
    })

    test('remove what was left of a backup that nobody has taken over for an hour', async () => {
      const stores = await open()
      const { clock, archives, work, writeSound, backups } = createBackupProcesses(stores)
      const left = archiveNameOf(1, clock.now(), false)
      await writeSound(left)
      const running = newBackup(clock.now(), false)
      await stores.one.write((tx) => tx.backups.insert({ ...running, name: left }))
      const failAbandoned = () => stores.one.write((tx) => failAbandonedBackups(tx, clock.now(), 10))
      clock.advance(HOUR_MS)
      expect(await failAbandoned()).toBe(0)
      clock.advance(BACKUP_LEASE_MS)
      expect(await failAbandoned()).toBe(1)
      await work()
      expect(await backups()).toMatchObject([{ state: 'failed', name: null, finishedAt: clock.now() }])
      expect(await archives.size(left)).toBeNull()
    })

    test('keep a lease whose renewals take effect in another order', async () => {
      const { one } = await open()
      const now = Date.UTC(2030, 0, 1)
      for (const name of [null, archiveNameOf(1, now, false)]) {
        const { id } = await one.write((tx) => tx.backups.insert({ ...newBackup(now, false), name }))
        const renew = (at: number) =>
          one.write((tx) => tx.backups.renew(id, { name, now: at, leaseUntil: at + BACKUP_LEASE_MS }))
        expect([await renew(now + 2), await renew(now + 1)]).toEqual([true, true])
        expect((await one.read((tx) => tx.backups.findById(id)))?.leaseUntil).toBe(now + 2 + BACKUP_LEASE_MS)
        expect(await renew(now + 2 + BACKUP_LEASE_MS)).toBe(false)
      }
    })

    test('do not take the lease of another process for their own', async () => {
      const { clock, processes, begin, writeSound, backups, archives } = createBackupProcesses(await open())
      const attempts = createHeldAttempts()
      let second: Promise<void> | null = null
      await begin(async (archive) => {
        if (await attempts.hold(archive)) return writeSound(archive)
        clock.advance(BACKUP_LEASE_MS)
        second = processes[1].work()
        await attempts.second
        return writeSound(archive)
      })
      // The first attempt ends before the second one has.
      await processes[0].work()
      attempts.release()
      await second
      expect(await backups()).toMatchObject([{ state: 'done', name: attempts.archives[1] }])
      expect(await archives.size(String(attempts.archives[0]))).toBeNull()
    })
  })
}
