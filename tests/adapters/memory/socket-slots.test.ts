import { createMemorySocketSlots } from '../../../src/adapters/memory/socket-slots.ts'
import { socketSlotsContract } from '../../contracts/socket-slots.ts'

socketSlotsContract('memory', async () => [createMemorySocketSlots()])
