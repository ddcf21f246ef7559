/**
 * A thread that asks one thing again and again and tells how long each answer took: one of its own, so that the load
 * beside it does not make the server look slow. Takes the address as its first message.
 */
import { parentPort } from 'node:worker_threads'

const PROBE_EVERY_MS = 50

/** Milliseconds, or why there was no answer. */
export type Probe = number | string

const probe = async (url: string): Promise<Probe> => {
  const asked = performance.now()
  try {
    const response = await fetch(url)
    await response.arrayBuffer()
    return response.ok ? performance.now() - asked : `answered ${response.status}`
  } catch (error) {
    return String(error)
  }
}

parentPort?.once('message', async (url: string) => {
  for (;;) {
    parentPort?.postMessage(await probe(url))
    await Bun.sleep(PROBE_EVERY_MS)
  }
})
