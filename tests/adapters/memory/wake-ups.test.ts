import { createMemoryWakeUps } from '../../../src/adapters/memory/wake-ups.ts'
import { wakeUpsContract } from '../../contracts/wake-ups.ts'

wakeUpsContract('memory', async () => [createMemoryWakeUps()])
