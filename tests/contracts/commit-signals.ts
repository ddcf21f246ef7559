import { describe, expect, test } from 'bun:test'
import type { CommitSignal, CommitSignals } from '../../src/application/ports/messaging.ts'
import { until } from '../support/until.ts'

/** What wake-ups promise. `open` answers those of each process of one installation, one or more. */
export const commitSignalsContract = (
  engine: string,
  open: () => Promise<readonly [CommitSignals, ...CommitSignals[]]>,
  skip = false,
) => {
  describe.skipIf(skip)(`the commit signals of ${engine}`, () => {
    const receive = (signals: CommitSignals) => {
      const received: CommitSignal[] = []
      signals.subscribe((signal) => void received.push(signal))
      return received
    }

    test('reach every other process, with their topic', async () => {
      const [own, ...others] = await open()
      const there = others.map(receive)
      own.publish('jobs')
      await until(() => there.every((received) => received.length > 0))
      expect(there).toEqual(there.map(() => ['jobs']))
    })

    test('do not come back to the process that publishes', async () => {
      const [own, ...others] = await open()
      const here = receive(own)
      const there = others.map(receive)
      own.publish('events')
      await until(() => there.every((received) => received.length > 0))
      // What another sends comes after what we sent ourselves.
      for (const other of others.slice(0, 1)) other.publish('jobs')
      await until(() => others.length === 0 || here.includes('jobs'))
      expect(here).toEqual(others.length === 0 ? [] : ['jobs'])
    })

    test('are one message for all commits within a short time', async () => {
      const [own, ...others] = await open()
      const there = others.map(receive)
      for (let commit = 0; commit < 1_000; commit++) own.publish('events')
      own.publish('jobs')
      await until(() => there.every((received) => received.includes('jobs')))
      expect(there).toEqual(there.map(() => ['events', 'jobs']))
    })
  })
}
