import type { Context } from '../lib/case.ts'
import { startFloor } from '../lib/floor.ts'
import { databaseOf } from '../lib/skep.ts'
import { WRITER } from './accounts.ts'
import { type Subject, startSubject } from './cases.ts'
import type { Installed } from './peer.ts'
import { FLOOR } from './samples.ts'
import { skep } from './skep.ts'

/** Starts a raw server that creates notes as the contract demands, on a database that Skep has filled. */
export const startDuties = async (context: Context, installed: Installed): Promise<Subject> => {
  const filled = await startSubject(context, skep, installed)
  await filled.running.stop()
  const { pid, url, stop } = await startFloor('live-notes-duties', {
    folder: context.folder(),
    core: context.cores.server,
    args: [databaseOf(filled.folder), WRITER.email, filled.writer.token],
  })
  return { ...filled, peer: { ...skep, name: FLOOR }, running: { ...filled.running, pid, url, stop } }
}
