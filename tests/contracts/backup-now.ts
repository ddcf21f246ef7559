import { describe, expect, test } from 'bun:test'
import { BACKUP_LEASE_MS } from '../../src/domain/backup.ts'
import { streamOf } from '../support/archives.ts'
import { type BackupProcesses, createBackupProcesses } from '../support/backup-processes.ts'

/** What every engine promises of a backup that the command line makes. */
export const backupNowContract = (name: string, open: () => Promise<BackupProcesses>) => {
  describe(`a backup of the command line on ${name}`, () => {
    test('is listed with its archive', async () => {
      const { archives, backUpNow, writeSound, backups } = createBackupProcesses(await open())
      const made = await backUpNow(writeSound)
      expect(await backups()).toMatchObject([{ state: 'done', name: made.name, size: 10, sha256: made.sha256 }])
      expect(await archives.size(made.name)).toBe(10)
    })

    test.each([['in the archive store'], ['elsewhere']])(
      'removes its archive %s if its lease expired',
      async (place) => {
        const { clock, archives, work, backUpNow, writeSound, backups, deleteFile } = createBackupProcesses(
          await open(),
        )
        const written: string[] = []
        const write = async (archive: string) => {
          written.push(archive)
          clock.advance(BACKUP_LEASE_MS)
          await deleteFile()
          await work()
          return writeSound(archive)
        }
        const elsewhere = place === 'elsewhere' ? 'mine.tar.zst' : undefined
        await expect(backUpNow(write, elsewhere)).rejects.toThrow('the lease expired')
        expect(await archives.size(written[0] ?? '')).toBeNull()
        const state = { state: 'failed', name: null, detail: expect.stringContaining('the lease expired') }
        expect(await backups()).toMatchObject(elsewhere === undefined ? [state] : [])
      },
    )

    test('keeps an archive that another process has put in the place of its own', async () => {
      const { clock, archives, backUpNow, writeSound } = createBackupProcesses(await open())
      const write = async (archive: string) => {
        const written = await writeSound(archive)
        await archives.write(archive, streamOf(new Uint8Array(10).fill(1)))
        clock.advance(BACKUP_LEASE_MS)
        return written
      }
      await expect(backUpNow(write, 'ours.tar.zst')).rejects.toThrow('the lease expired')
      expect(await archives.size('ours.tar.zst')).toBe(10)
    })

    test('keeps an archive that it has not written, if it fails before', async () => {
      const { archives, backUpNow, writeSound } = createBackupProcesses(await open())
      await writeSound('ours.tar.zst')
      const write = async () => {
        throw new Error('the disk is full')
      }
      await expect(backUpNow(write, 'ours.tar.zst')).rejects.toThrow('the disk is full')
      expect(await archives.size('ours.tar.zst')).toBe(10)
    })
  })
}
