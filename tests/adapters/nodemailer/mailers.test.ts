import { afterAll, describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { createFileMailer } from '../../../src/adapters/nodemailer/file-mailer.ts'
import { createSmtpMailer } from '../../../src/adapters/nodemailer/smtp-mailer.ts'
import { PermanentFailure } from '../../../src/application/ports/messaging.ts'
import type { Mail } from '../../../src/domain/mail.ts'
import { recordingLog, temporaryFolder } from '../../support/skep.ts'

const mail: Mail = {
  id: 'job-7',
  messageId: 'abc-7',
  to: 'ann@example.com',
  subject: 'Grüße',
  text: 'Hello Ann,\n\nhttps://example.com/verify-email#token=abc\n',
  html: '<p>Hello Ann</p>',
}
const signal = new AbortController().signal

const portOf = (server: Server): number => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** A real SMTP server on loopback that keeps what it receives. */
const openServer = async (options: SMTPServerOptions = {}) => {
  const received: ParsedMail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    async onData(stream, _session, done) {
      received.push(await simpleParser(stream))
      done()
    },
    ...options,
  })
  // A client that hangs up in the middle is what some tests are about.
  server.on('error', () => {})
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  afterAll(() => new Promise<void>((closed) => server.close(closed)))
  return { received, host: `127.0.0.1:${portOf(server.server)}` }
}

const mailerFor = (url: string, timeout = 5_000) => {
  const mailer = createSmtpMailer({ url, from: { name: 'Skep', address: 'no-reply@example.com' }, timeout })
  afterAll(() => mailer.close())
  return mailer
}

describe('by SMTP', () => {
  test('a mail arrives with text and HTML, from MAIL_FROM', async () => {
    const { received, host } = await openServer()
    await mailerFor(`smtp://${host}`).send(mail, signal)
    expect(received[0]).toMatchObject({ subject: 'Grüße', messageId: '<abc-7@example.com>' })
    expect(received[0]?.from?.text).toBe('"Skep" <no-reply@example.com>')
    expect(received[0]?.text).toContain('https://example.com/verify-email#token=abc')
    expect(received[0]?.html).toContain('<p>Hello Ann</p>')
    expect(received[0]?.headers.get('auto-submitted')).toBe('auto-generated')
  })

  test('signs in with the user and password of the URL', async () => {
    const seen: unknown[] = []
    const { host } = await openServer({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth(auth, _session, done) {
        seen.push([auth.username, auth.password])
        done(null, { user: 'me' })
      },
    })
    await mailerFor(`smtp://me:p%40ss@${host}`).send(mail, signal)
    expect(seen).toEqual([['me', 'p@ss']])
  })

  test('uses STARTTLS where it is offered, and TLS by smtps', async () => {
    const secure: boolean[] = []
    const options: SMTPServerOptions = {
      disabledCommands: [],
      onMailFrom(_address, session, done) {
        secure.push(session.secure)
        done()
      },
    }
    const starttls = await openServer(options)
    await mailerFor(`smtp://${starttls.host}?tls.rejectUnauthorized=false`).send(mail, signal)
    const tls = await openServer({ ...options, secure: true })
    await mailerFor(`smtps://${tls.host}?tls.rejectUnauthorized=false`).send(mail, signal)
    expect(secure).toEqual([true, true])
  })

  test('does not send to a server with an untrusted certificate', async () => {
    const { received, host } = await openServer({ secure: true })
    await expect(mailerFor(`smtps://${host}`).send(mail, signal)).rejects.toThrow()
    expect(received).toEqual([])
  })

  test('rejects when the server refuses the recipient, and sends the next one', async () => {
    const { received, host } = await openServer({
      onRcptTo({ address }, _session, done) {
        done(address.startsWith('bad') ? new Error('no such user') : null)
      },
    })
    const mailer = mailerFor(`smtp://${host}`)
    await expect(mailer.send({ ...mail, to: 'bad@example.com' }, signal)).rejects.toThrow('no such user')
    await mailer.send(mail, signal)
    expect(received).toHaveLength(1)
  })

  const refusing = async (code: number, stage: 'MAIL' | 'RCPT' | 'DATA') => {
    const refusal = Object.assign(new Error('5.1.1 no: https://x.example/#token=s3cr3t-s3cr3t'), { responseCode: code })
    const { host } = await openServer({
      onMailFrom: (_address, _session, done) => done(stage === 'MAIL' ? refusal : null),
      onRcptTo: (_address, _session, done) => done(stage === 'RCPT' ? refusal : null),
      onData(stream, _session, done) {
        stream.resume().on('end', () => done(stage === 'DATA' ? refusal : null))
      },
    })
    return mailerFor(`smtp://${host}`)
      .send(mail, signal)
      .catch((error: unknown) => error)
  }

  test.each([
    [550, 'MAIL'],
    [550, 'RCPT'],
    [554, 'DATA'],
    [503, 'RCPT'],
  ] as const)('a reply %d to %s is final, and its text holds no token', async (code, stage) => {
    const error = await refusing(code, stage)
    expect(error).toBeInstanceOf(PermanentFailure)
    expect(String(error)).toContain(String(code))
    expect(Bun.inspect(error)).not.toContain('s3cr3t')
  })

  test.each([
    [450, 'MAIL'],
    [452, 'RCPT'],
    [421, 'RCPT'],
    [451, 'DATA'],
  ] as const)('a reply %d to %s may pass', async (code, stage) => {
    const error = await refusing(code, stage)
    expect(error).toBeInstanceOf(Error)
    expect(error).not.toBeInstanceOf(PermanentFailure)
  })

  test('no failure contains the password, however the server repeats it', async () => {
    const { host } = await openServer({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth({ username = '', password = '' }, _session, done) {
        const plain = Buffer.from(`\0${username}\0${password}`).toString('base64')
        done(Object.assign(new Error(`5.7.8 ${password} ${plain}`), { responseCode: 535 }))
      },
    })
    const error = await mailerFor(`smtp://me:p%40ssw0rd@${host}`)
      .send(mail, signal)
      .catch((error: unknown) => error)
    expect(Bun.inspect(error)).toContain('***')
    for (const secret of ['p@ssw0rd', btoa('\0me\0p@ssw0rd')]) expect(Bun.inspect(error)).not.toContain(secret)
  })

  test('rejects if the connection is refused', async () => {
    await expect(mailerFor('smtp://127.0.0.1:1').send(mail, signal)).rejects.toThrow()
  })

  test('rejects if the server does not respond', async () => {
    const sockets: Socket[] = []
    const mute = createServer((socket) => void sockets.push(socket))
    const { promise, resolve } = Promise.withResolvers<void>()
    mute.listen(0, '127.0.0.1', resolve)
    await promise
    await expect(mailerFor(`smtp://127.0.0.1:${portOf(mute)}`, 50).send(mail, signal)).rejects.toThrow()
    for (const socket of sockets) socket.destroy()
    mute.close()
  })

  test('rejects when the connection breaks in the middle of the message', async () => {
    const answers: Readonly<Record<string, string>> = {
      EHLO: '250 hello',
      MAIL: '250 ok',
      RCPT: '250 ok',
      DATA: '354 go on',
    }
    const { promise: half, resolve: gotHalf } = Promise.withResolvers<string>()
    const server = createServer((socket) => {
      socket.write('220 hello\r\n')
      socket.on('data', (bytes) => {
        const text = bytes.toString()
        const answer = answers[text.slice(0, 4)]
        if (answer !== undefined) return void socket.write(`${answer}\r\n`)
        gotHalf(text)
        socket.destroy()
      })
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    server.listen(0, '127.0.0.1', resolve)
    await promise
    await expect(mailerFor(`smtp://127.0.0.1:${portOf(server)}`).send(mail, signal)).rejects.toThrow()
    expect(await half).toContain('Auto-Submitted')
    server.close()
  })

  test('never has two concurrent attempts for one mail', async () => {
    const { received, host } = await openServer()
    const mailer = mailerFor(`smtp://${host}`)
    const both = await Promise.allSettled([mailer.send(mail, signal), mailer.send(mail, signal)])
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    await mailer.send(mail, signal)
    expect(received).toHaveLength(2)
  })

  test('no name or address can add a header or a recipient', async () => {
    const { received, host } = await openServer()
    const evil = { ...mail, subject: 'Hi\r\nBcc: eve@example.com', to: 'ann@example.com' }
    await mailerFor(`smtp://${host}`).send(evil, signal)
    expect(received[0]?.bcc).toBeUndefined()
    expect(received[0]?.headers.has('bcc')).toBe(false)
    expect(received[0]?.to).toMatchObject({ text: 'ann@example.com' })
  })
})

describe('as files', () => {
  const open = () => {
    const folder = join(temporaryFolder(), 'mail')
    const log = recordingLog()
    return {
      folder,
      log,
      mailer: createFileMailer({ folder, from: { name: 'Skep', address: 'no-reply@localhost' }, log }),
    }
  }

  test('each mail is an .eml that mail programs can read, and a line in the log', async () => {
    const { folder, log, mailer } = open()
    await mailer.send(mail, signal)
    expect(readdirSync(folder)).toEqual(['job-7.eml'])
    const parsed = await simpleParser(await Bun.file(join(folder, 'job-7.eml')).text())
    expect(parsed).toMatchObject({ subject: 'Grüße', html: expect.stringContaining('Hello Ann') })
    expect(log.entries).toMatchObject([{ level: 'info', fields: { to: 'ann@example.com', subject: 'Grüße' } }])
    expect(JSON.stringify(log.entries)).not.toContain('token=')
  })

  test('every line of it ends as mail programs expect', async () => {
    const { folder, mailer } = open()
    await mailer.send(mail, signal)
    const written = await Bun.file(join(folder, 'job-7.eml')).text()
    expect(written.split('\r\n').length).toBeGreaterThan(10)
    expect(written.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  })

  test('its link is not broken across lines', async () => {
    const { folder, mailer } = open()
    await mailer.send(mail, signal)
    expect(await Bun.file(join(folder, 'job-7.eml')).text()).toContain('https://example.com/verify-email#token=abc')
  })

  test('a repeated mail replaces the first', async () => {
    const { folder, mailer } = open()
    await mailer.send(mail, signal)
    await mailer.send(mail, signal)
    expect(readdirSync(folder)).toEqual(['job-7.eml'])
  })

  test('rejects when the folder cannot be written', async () => {
    const mailer = createFileMailer({
      folder: '/dev/null/mail',
      from: { name: '', address: 'a@b.c' },
      log: recordingLog(),
    })
    await expect(mailer.send(mail, signal)).rejects.toThrow()
  })
})
