import type { Credentials } from './peer.ts'

/** Who has the notes that are read. */
export const READER: Credentials = { email: 'reader@example.com', password: 'correct horse battery' }

/** Who creates more of them. */
export const WRITER: Credentials = { email: 'writer@example.com', password: 'battery horse correct' }
