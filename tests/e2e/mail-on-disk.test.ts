import { expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Mail } from '../../src/domain/mail.ts'
import { temporaryFolder } from '../support/skep.ts'

const mail: Mail = {
  id: 'job-7',
  messageId: 'abc-7',
  to: 'ann@example.com',
  subject: 'Hello',
  text: 'Hello',
  html: '<p>Hello</p>',
}

const SOURCES = join(import.meta.dir, '../../src')

/** Whether what a program asks of the system can be seen here. */
const canTrace =
  Bun.which('strace') !== null && Bun.spawnSync(['strace', '-o', '/dev/null', process.execPath, '--version']).success

if (!canTrace) console.warn('No strace to watch with: the test of mail on the disk is skipped.')

test.skipIf(!canTrace)('a mail as a file would survive a crash, under its name, once it is sent', async () => {
  const data = temporaryFolder()
  const [folder, trace] = [join(data, 'mail'), join(temporaryFolder(), 'trace')]
  const script = `
    import { createFileMailer } from ${JSON.stringify(join(SOURCES, 'adapters/nodemailer/file-mailer.ts'))}
    const options = { folder: ${JSON.stringify(folder)}, from: { name: '', address: 'a@example.com' }, log: { info() {} } }
    await createFileMailer(options).send(${JSON.stringify(mail)})`
  const calls = 'trace=fsync,rename,renameat,renameat2'
  const { success } = Bun.spawnSync(['strace', '-f', '-y', '-e', calls, '-o', trace, process.execPath, '-e', script])
  expect(success).toBe(true)
  const done = (await Bun.file(trace).text()).split('\n').flatMap((line) => {
    const [, synced] = /fsync\(\d+<([^>]*)>/.exec(line) ?? []
    if (synced !== undefined) return [`synced ${synced}`]
    return /rename\w*\(.*job-7\.eml/.test(line) ? ['renamed'] : []
  })
  expect(done).toEqual([`synced ${data}`, `synced ${join(folder, 'job-7.eml.part')}`, 'renamed', `synced ${folder}`])
})
