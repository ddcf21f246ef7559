import { readdirSync, readFileSync } from 'node:fs'
import { type Collected, unlabelledSample } from './registry.ts'

const startedAt = Date.now() / 1_000 - process.uptime()

const maxDescriptors = (): number => {
  const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
}

/** Process metrics from the operating system, under the common names of Prometheus client libraries. */
export const processMetrics = (version: string): readonly Collected[] => {
  const portable: readonly Collected[] = [
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      across: 'process',
      help: 'User and system CPU time.',
      samples() {
        const { user, system } = process.cpuUsage()
        return unlabelledSample((user + system) / 1_000_000)
      },
    },
    {
      name: 'process_resident_memory_bytes',
      type: 'gauge',
      across: 'process',
      help: 'Resident memory.',
      samples: () => unlabelledSample(process.memoryUsage.rss()),
    },
    {
      name: 'skep_heap_used_bytes',
      type: 'gauge',
      help: 'The JavaScript heap, what waits for the collector included.',
      samples: () => unlabelledSample(process.memoryUsage().heapUsed),
    },
    {
      name: 'process_start_time_seconds',
      type: 'gauge',
      across: 'process',
      help: 'When the process started, in seconds since 1970.',
      samples: () => unlabelledSample(startedAt),
    },
    {
      name: 'skep_build_info',
      type: 'gauge',
      across: 'process',
      help: 'Always 1; the labels say which build runs.',
      samples: () => [{ labels: { version, bun: Bun.version }, value: 1 }],
    },
  ]
  if (process.platform !== 'linux') return portable
  return [
    ...portable,
    {
      name: 'process_open_fds',
      type: 'gauge',
      across: 'process',
      help: 'Open file descriptors.',
      // The descriptor that reads the folder is not counted.
      samples: () => unlabelledSample(readdirSync('/proc/self/fd').length - 1),
    },
    {
      name: 'process_max_fds',
      type: 'gauge',
      across: 'process',
      help: 'File descriptors that may be open.',
      samples: () => unlabelledSample(maxDescriptors()),
    },
  ]
}
