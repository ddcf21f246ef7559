import { SMTPServer } from 'smtp-server'

/** A mail that the sink has taken over: the sender was told so. */
export interface Letter {
  readonly to: string
  readonly subject: string
  /** The same for all attempts at one mail. */
  readonly id: string
}

export interface MailSink {
  /** For SMTP_URL. */
  readonly url: string
  readonly letters: readonly Letter[]
  /** From here on whoever sends a mail gets no answer. */
  pause(): void
  release(): void
  /** Recipients of the mails that came and were never answered. */
  readonly paused: readonly string[]
  close(): Promise<void>
}

const TIMEOUT_MS = 60_000

/** A real SMTP server on a free port of loopback. */
export const openMailSink = async (): Promise<MailSink> => {
  const letters: Letter[] = []
  const paused: string[] = []
  let isPaused = false
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    socketTimeout: TIMEOUT_MS,
    async onData(stream, { envelope }, done) {
      const text = (await Array.fromAsync(stream)).join('')
      const header = (pattern: RegExp) => pattern.exec(text)?.[1] ?? ''
      for (const { address } of envelope.rcptTo) {
        if (isPaused) paused.push(address)
        else
          letters.push({
            to: address,
            subject: header(/^Subject: (.*)$/im).trim(),
            id: header(/^Message-ID: <([^@>]+)/im),
          })
      }
      if (!isPaused) done()
    },
  })
  // A sender that is killed hangs up in the middle.
  server.on('error', () => {})
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const address = server.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `smtp://127.0.0.1:${address.port}`,
    letters,
    paused,
    pause() {
      isPaused = true
    },
    release() {
      isPaused = false
    },
    close: () => new Promise((closed) => server.close(closed)),
  }
}
