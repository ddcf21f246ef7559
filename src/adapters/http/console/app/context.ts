import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Loaded } from './loading.ts'
import type { Definition, User } from './types.ts'

/** What every page of an admin needs. */
export interface Session {
  readonly user: User
  /** The definitions of all collections. */
  readonly collections: Loaded<readonly Definition[]>
}

export const SessionContext = createContext<Session | null>(null)

export const useSession = (): Session => {
  const session = useContext(SessionContext)
  if (session === null) throw new Error('outside the shell')
  return session
}
