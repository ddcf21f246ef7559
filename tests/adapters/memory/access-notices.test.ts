import { createMemoryAccessNotices } from '../../../src/adapters/memory/access-notices.ts'
import { accessNoticesContract } from '../../contracts/access-notices.ts'

accessNoticesContract('memory', async () => [createMemoryAccessNotices()], { isLossless: true })
