import type { Case } from '../lib/case.ts'
import { backup } from './backup.ts'
import { bigFile } from './big-file.ts'
import { coldStart } from './cold-start.ts'
import { collectionCreates } from './collection-creates.ts'
import { collectionListsDuties } from './collection-lists.ts'
import { collectionOthers } from './collection-others.ts'
import { collectionReads, collectionReadsDuties } from './collection-reads.ts'
import { commitToReceive } from './commit-to-receive.ts'
import { consoleList } from './console.ts'
import { createItem, createItemDuties } from './create-item.ts'
import { fanOut } from './fan-out.ts'
import { idleMemory } from './idle-memory.ts'
import { idleSockets } from './idle-sockets.ts'
import { mailDrain } from './mail-drain.ts'
import { millionItems } from './million-items.ts'
import { oneAccount } from './one-account.ts'
import { overload } from './overload.ts'
import { ownChanges } from './own-changes.ts'
import { postgresCreate } from './postgres-create.ts'
import { postgresRead } from './postgres-read.ts'
import { readItem, readItemDuties } from './read-item.ts'
import { readsUnderSignIns } from './reads-under-sign-ins.ts'
import { refresh } from './refresh.ts'
import { twoProcesses } from './two-processes.ts'
import { usersMe, usersMeDuties } from './users-me.ts'
import { workers } from './workers.ts'

/** Every case, in the order it runs. */
export const CASES: readonly Case[] = [
  usersMe,
  usersMeDuties,
  readItem,
  readItemDuties,
  createItem,
  createItemDuties,
  refresh,
  readsUnderSignIns,
  overload,
  oneAccount,
  postgresRead,
  postgresCreate,
  twoProcesses,
  workers,
  fanOut,
  commitToReceive,
  ownChanges,
  mailDrain,
  millionItems,
  collectionReads,
  collectionReadsDuties,
  collectionListsDuties,
  // Adds to the records that those before read.
  collectionOthers,
  collectionCreates,
  backup,
  consoleList,
  coldStart,
  idleMemory,
  bigFile,
  idleSockets,
]
