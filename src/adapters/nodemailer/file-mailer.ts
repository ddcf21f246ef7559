import { mkdir, open, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Mailer } from '../../application/ports/messaging.ts'
import type { Log } from '../../application/ports/system.ts'
import type { Sender } from '../../domain/mail.ts'
import { library } from './library.ts'
import { toMessage } from './message.ts'

interface Options {
  /** Created when the first mail is written. */
  readonly folder: string
  readonly from: Sender
  readonly log: Log
}

/** Makes the names in a folder durable. */
const syncFolder = async (path: string): Promise<void> => {
  await using folder = await open(path, 'r')
  await folder.sync()
}

/** Writes each mail as an `.eml` file, for installations without a mail server. A repeated mail replaces the first. */
export const createFileMailer = ({ folder, from, log }: Options): Mailer => {
  const open = () => library().createTransport({ streamTransport: true, buffer: true, newline: 'windows' })
  let transport: ReturnType<typeof open> | null = null
  return {
    async send(mail) {
      transport ??= open()
      const { message } = await transport.sendMail(toMessage(mail, from))
      if (!Buffer.isBuffer(message)) throw new Error('nodemailer gave no buffer')
      const made = await mkdir(folder, { recursive: true, mode: 0o700 })
      if (made !== undefined) await syncFolder(dirname(made))
      const file = join(folder, `${mail.id}.eml`)
      await writeFile(`${file}.part`, message, { mode: 0o600, flush: true })
      await rename(`${file}.part`, file)
      // Afterwards the job is done and does not write the mail again.
      await syncFolder(folder)
      log.info('mail written', { file, to: mail.to, subject: mail.subject })
    },
  }
}
