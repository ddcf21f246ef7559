import type { SendMailOptions } from 'nodemailer'
import type { Mail } from '../../domain/mail.ts'

const domainOf = (address: string): string => /@([^\s<>@]+)>?$/.exec(address)?.[1] ?? 'localhost'

/** A mail as nodemailer takes it: nothing in it is taken for a file or an address to fetch. */
export const toMessage = ({ id, to, subject, text, html }: Mail, from: string): SendMailOptions => ({
  from,
  to: { name: '', address: to },
  subject,
  messageId: `<${id}@${domainOf(from)}>`,
  // RFC 3834 section 5: nobody's absence note needs to answer this.
  headers: { 'Auto-Submitted': 'auto-generated' },
  text,
  html,
  disableFileAccess: true,
  disableUrlAccess: true,
})
