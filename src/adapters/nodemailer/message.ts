import { domainToASCII } from 'node:url'
import type { SendMailOptions } from 'nodemailer'
import type { Mail, Sender } from '../../domain/mail.ts'

/** RFC 5322 section 3.6.4 allows only ASCII, even if the sender's domain has other letters. */
const domainOf = ({ address }: Sender): string => domainToASCII(address.slice(address.lastIndexOf('@') + 1))

/** A mail for nodemailer, with access to files and URLs disabled. */
export const toMessage = ({ messageId, to, subject, text, html }: Mail, from: Sender): SendMailOptions => ({
  from: { name: from.name, address: from.address },
  to: { name: '', address: to },
  subject,
  messageId: `<${messageId}@${domainOf(from) || 'localhost'}>`,
  // RFC 3834 section 5: prevents automatic replies.
  headers: { 'Auto-Submitted': 'auto-generated' },
  text,
  html,
  disableFileAccess: true,
  disableUrlAccess: true,
})
