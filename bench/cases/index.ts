import type { Case } from '../lib/case.ts'
import { coldStart } from './cold-start.ts'
import { idleMemory } from './idle-memory.ts'
import { usersMe } from './users-me.ts'

/** Every case, in the order it runs. */
export const CASES: readonly Case[] = [usersMe, coldStart, idleMemory]
