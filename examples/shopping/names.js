// Names of those who share a list.

import { skep } from './skep.js'

/** By the id of the user. */
export const names = new Map()

/** Asks once for those that are not known, and calls `learned` when they are. */
export const learnNames = async ({ id, owner_id, members }, learned) => {
  const unknown = [owner_id, ...members].filter((user) => !names.has(user))
  if (unknown.length === 0) return
  for (const user of unknown) names.set(user, 'Somebody')
  try {
    const { expanded } = await skep.collection('lists').get(id, { expand: ['owner', 'members'] })
    for (const user of [expanded.owner, ...expanded.members]) names.set(user.id, user.name)
    learned()
  } catch {
    for (const user of unknown) names.delete(user)
  }
}
