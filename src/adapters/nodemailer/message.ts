import { domainToASCII } from 'node:url'
import type { SendMailOptions } from 'nodemailer'
import type { Mail, Sender } from '../../domain/mail.ts'

/** RFC 5322 section 3.6.4 allows ASCII alone, also where the domain of the sender has other letters. */
const domainOf = ({ address }: Sender): string => domainToASCII(address.slice(address.lastIndexOf('@') + 1))

/** A mail as nodemailer takes it: nothing in it is taken for a file or an address to fetch. */
export const toMessage = ({ messageId, to, subject, text, html }: Mail, from: Sender): SendMailOptions => ({
  from: { name: from.name, address: from.address },
  to: { name: '', address: to },
  subject,
  messageId: `<${messageId}@${domainOf(from) || 'localhost'}>`,
  // RFC 3834 section 5: nobody's absence note needs to answer this.
  headers: { 'Auto-Submitted': 'auto-generated' },
  text,
  html,
  disableFileAccess: true,
  disableUrlAccess: true,
})
