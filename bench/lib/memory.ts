import { residentMegabytes } from '../../tests/support/resources.ts'

const SAMPLE_MS = 100

/** Watches how many MB of memory a process has at most, until the end of the scope. */
export const peakMemory = (pid: number) => {
  let peak = residentMegabytes(pid)
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMegabytes(pid))
  }, SAMPLE_MS)
  return { peak: () => peak, [Symbol.dispose]: () => clearInterval(timer) }
}
