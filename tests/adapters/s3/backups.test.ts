import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { HAS_S3, newS3Settings } from '../../support/s3.ts'
import { startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'
import { PNG, upload } from '../../support/uploads.ts'

setDefaultTimeout(60_000)

interface BackupBody {
  readonly id: number
  readonly state: string
  readonly sha256: string | null
  readonly detail: string | null
}

if (HAS_S3) {
  describe('with BACKUP_URL on S3', () => {
    test('a backup of files on S3 is made, verified, downloaded and removed', async () => {
      const { FILES_URL: BACKUP_URL = '' } = newS3Settings()
      const skep = await startSkep({ ...newS3Settings(), BACKUP_URL })
      const { token } = await createFirstAdmin(skep)
      for (let n = 0; n < 5; n++) await upload(skep.call, { token, content: PNG })
      const backup = async (id: number) => (await skep.call<BackupBody>('GET', `/admin/backups/${id}`, { token })).body
      const { status, body: begun } = await skep.call<BackupBody>('POST', '/admin/backups', { token })
      expect(status).toBe(202)
      await until(async () => (await backup(begun.id)).state !== 'running')
      const made = await backup(begun.id)
      expect(made).toMatchObject({ state: 'done', detail: null })

      await skep.call('POST', `/admin/backups/${made.id}/verify`, { token })
      await until(async () => (await backup(made.id)).detail?.includes('erified: ') === true)
      expect((await backup(made.id)).detail).toMatch(/^Verified: \d+ rows, 5 files$/)

      const json = { expires_in: 60 }
      const { body: link } = await skep.call<{ url: string }>('POST', `/admin/backups/${made.id}/links`, {
        token,
        json,
      })
      const downloaded = await fetch(link.url)
      expect(Bun.CryptoHasher.hash('sha256', await downloaded.bytes(), 'hex')).toBe(String(made.sha256))
      expect((await skep.call('DELETE', `/admin/backups/${made.id}`, { token })).status).toBe(204)
      expect((await fetch(link.url)).status).toBe(404)
    })
  })
}
