import { expect, test } from 'bun:test'
import type { Place } from '../support/cluster.ts'
import { type Load, type Report, startLoad } from '../support/cluster-load.ts'
import type { Random } from '../support/load/random.ts'
import { until } from '../support/until.ts'
import { type ClusterCalls, REVOKED_MS } from './cluster-calls.ts'

const HEALED_MS = 5_000
/** A lease of fifteen seconds, the poll that finds it over, and a second for what is then done. */
const TAKEN_OVER_MS = 15_000 + 1_000 + 1_000

const summaryOf = ({ requests, writes, events, refused, healing }: Report): string =>
  `${requests} requests, ${writes} writes acknowledged, ${events} events checked, ` +
  `${refused} requests refused or cut off, healed after ${healing.toFixed(0)} ms`

/** Processes and services that stop and start while requests come. `report` says what was seen. */
export const clusterFailures = (calls: ClusterCalls, random: Random, report: (line: string) => void) => {
  const { cluster, call, member, everywhere, untilRefused, placeOf, admin } = calls

  let unharmed: Load | null = null
  /**
   * One load through all that happens: who works in it has seen what went before. What was wrong once would be found
   * again each time, so that after a failure another begins.
   */
  const underLoad = async (disturb: () => Promise<void>): Promise<Report> => {
    const load = unharmed ?? (await startLoad(cluster(), random, (await admin()).access_token))
    unharmed = null
    const result = await load.during(disturb)
    expect(load.findings).toEqual([])
    unharmed = load
    return result
  }

  /** Makes a process hold the mails that it sends and gives it back whole, whatever happened to it. */
  const withPausedMails = async <T>(place: Place, work: () => Promise<T>): Promise<T> => {
    place.mail.pause()
    try {
      return await work()
    } finally {
      place.mail.release()
      if (place.server === null) await cluster().start(place)
    }
  }

  /** Kills a process that is at work on some mails. Resolves with when it was killed, as `performance.now()` has it. */
  const killAtWork = async (place: Place): Promise<number> => {
    await until(() => place.mail.paused.length >= 4)
    const killed = performance.now()
    await cluster().kill(place)
    return killed
  }

  /** Of the mails that a process was sending those that went out, by it or by others. */
  const sentOf = ({ mail }: Place): string[] =>
    cluster()
      .letters()
      .flatMap(({ to }) => (mail.paused.includes(to) ? [to] : []))
      .toSorted()

  /** Waits until every process says so of its Redis. */
  const untilReady = (state: 'ok' | 'degraded') =>
    until(async () => {
      const answers = await everywhere<{ checks: { redis: string } }>('GET', '//health/ready')
      return answers.every(({ body }) => body.checks.redis === state)
    })

  test('kill -9 of one process under load loses nothing acknowledged, and the others answer within five seconds', async () => {
    const place = placeOf('B')
    let killed = 0
    let gone = 0
    const result = await withPausedMails(place, () =>
      underLoad(async () => {
        killed = await killAtWork(place)
        gone = performance.now()
      }),
    )
    const healing = result.healing + gone - killed
    expect(healing).toBeLessThan(HEALED_MS)
    expect(sentOf(place)).toEqual(place.mail.paused.toSorted())
    const mails = `the ${place.mail.paused.length} mails that it was sending went out once`
    report(`kill -9 of one process: ${summaryOf({ ...result, healing })}; ${mails}`)
  })

  test('the jobs of a process that was killed are done by the others once its lease is over and they have looked', async () => {
    const place = placeOf('C')
    await withPausedMails(place, async () => {
      while (place.mail.paused.length < 4) await member()
      const killed = await killAtWork(place)
      const paused = place.mail.paused.toSorted()
      await until(() => sentOf(place).length >= paused.length)
      const taken = performance.now() - killed
      expect(sentOf(place)).toEqual(paused)
      expect(taken).toBeLessThan(TAKEN_OVER_MS)
      report(`the ${paused.length} mails that a killed process was sending went out ${taken.toFixed(0)} ms later`)
    })
  })

  test('a restart of Postgres under load heals within five seconds and loses nothing', async () => {
    const result = await underLoad(async () => void (await cluster().postgres.restart()))
    expect(result.healing).toBeLessThan(HEALED_MS)
    report(`restart of Postgres: ${summaryOf(result)}`)
  })

  test('without Redis nothing is refused and sessions end everywhere; its return heals within five seconds', async () => {
    const { access_token: token, refresh_token } = await member()
    let revoked = 0
    let healing = 0
    const result = await underLoad(async () => {
      await cluster().redis.kill()
      try {
        await untilReady('degraded')
        revoked = await untilRefused(token, () => call('POST', '/auth/revoke', { form: { token: refresh_token } }))
      } finally {
        await cluster().redis.start()
      }
      const back = performance.now()
      await untilReady('ok')
      healing = performance.now() - back
    })
    expect(result.refused).toBe(0)
    expect(revoked).toBeLessThan(REVOKED_MS)
    expect(healing).toBeLessThan(HEALED_MS)
    const end = `without it a session that ended was refused by all ${revoked.toFixed(0)} ms later`
    report(`restart of Redis: ${summaryOf({ ...result, healing })}; ${end}`)
  })

  test('a graceful stop of one process under load, and its start, lose nothing', async () => {
    const place = placeOf('C')
    const result = await underLoad(async () => {
      try {
        expect((await cluster().stop(place)).code).toBe(0)
      } finally {
        await cluster().start(place)
      }
    })
    expect(result.healing).toBeLessThan(HEALED_MS)
    report(`SIGTERM of one process, and its start: ${summaryOf(result)}`)
  })
}
