import { auth } from './auth-suite.ts'
import type { Tests } from './place.ts'
import { realtime } from './realtime-suite.ts'
import { records } from './records-suite.ts'

/** The tests of the client, on any platform. */
export const SUITE: Tests = { ...auth, ...records, ...realtime }
