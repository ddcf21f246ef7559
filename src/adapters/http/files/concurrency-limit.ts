import { AppError } from '../../../domain/errors.ts'

/**
 * Limits the concurrent operations of each client in this process. Above the limit, throws `too_many_requests`; disposing
 * of the result frees a slot.
 */
export const createConcurrencyLimit = (most: number) => {
  const underWay = new Map<number | string, number>()
  return (client: number | string): Disposable => {
    const before = underWay.get(client) ?? 0
    if (before >= most)
      throw new AppError('too_many_requests', `At most ${most} at the same time`, { retryAfterSeconds: 1 })
    underWay.set(client, before + 1)
    return {
      [Symbol.dispose]() {
        const left = (underWay.get(client) ?? 0) - 1
        if (left > 0) underWay.set(client, left)
        else underWay.delete(client)
      },
    }
  }
}
