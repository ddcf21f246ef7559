import type { Attack } from './attack.ts'

/** `/health/ready`, which no limit counts, as fast as it is answered. */
export const attack: Attack = {
  id: 'A8',
  about: 'readiness asked without end',
  async client({ url }, _index, signal) {
    while (!signal.aborted) {
      try {
        const response = await fetch(`${url}/health/ready`, { signal })
        await response.arrayBuffer()
        if (!response.ok) await Bun.sleep(20)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  },
}
