import { createMemoryCommitSignals } from '../../../src/adapters/memory/commit-signals.ts'
import { commitSignalsContract } from '../../contracts/commit-signals.ts'

commitSignalsContract('memory', async () => [createMemoryCommitSignals()])
