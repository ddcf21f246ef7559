import { createOpaqueTokens } from '../adapters/bun/opaque-tokens.ts'
import { startWorker, type Worker } from '../adapters/worker/worker.ts'
import { createBackupJobs } from '../application/backup-jobs.ts'
import { createJobHandlers } from '../application/job-handlers.ts'
import { createJobRunner } from '../application/job-runner.ts'
import type { Mailer } from '../application/ports/messaging.ts'
import { backupSettings, createBackupRunner } from './backup-runner.ts'
import type { Foundation } from './foundation.ts'

/** Works on queued jobs. Links in mail begin with `publicUrl`, unless `APP_URL` is set. */
export const startJobs = async (foundation: Foundation, mailer: Mailer, publicUrl: string): Promise<Worker> => {
  const { settings, log, clock, secret, listeners, store, blobs, archives, useCases } = foundation
  const backups = createBackupJobs({
    unitOfWork: store,
    clock,
    log,
    archives,
    runner: createBackupRunner({ settings: backupSettings(settings), secret }),
    schedule: settings.BACKUP_SCHEDULE ?? null,
    keptCount: settings.BACKUP_KEEP ?? null,
  })
  const others = createJobHandlers({
    unitOfWork: store,
    catalog: useCases.catalog,
    units: useCases.units,
    mailer,
    blobs,
    opaqueTokens: createOpaqueTokens(secret),
    clock,
    mail: {
      appName: settings.APP_NAME,
      appUrl: settings.APP_URL ?? publicUrl,
      templates: settings.MAIL_TEMPLATES,
    },
    refreshTtlMs: settings.REFRESH_TOKEN_TTL,
    // One log serves both.
    eventRetentionMs: Math.max(settings.EVENT_RETENTION, settings.HISTORY_RETENTION),
    auditRetentionMs: settings.AUDIT_RETENTION,
  })
  const handlers = { ...others, ...backups }
  const runner = createJobRunner({ unitOfWork: store, handlers, clock, log, random: Math.random })
  await store.requeueAbandonedJobs(clock.now())
  await runner.prepare()
  const worker = startWorker({ runner, log })
  listeners.jobs = worker.notify
  return worker
}
