import { expect, test } from 'bun:test'
import { typeDeclarationsOf } from '../../../src/application/type-declarations.ts'
import { ITEMS } from '../../../src/domain/collections/items.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { collectionOf } from '../../support/definitions.ts'
import { callsOf, defineShopping, SHOPPING } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'
import { errorsIn } from '../../support/typescript.ts'
import { upload } from '../../support/uploads.ts'

const TYPES = typeDeclarationsOf([
  ITEMS,
  ...Object.entries(SHOPPING).map(([name, definition]) => collectionOf({ name, ...definition })),
])

/** Statements that compile if each value has its type, and no member that the type does not have. */
const havingTypes = (values: Readonly<Record<string, unknown>>): string =>
  Object.entries(values)
    .map(([type, value], index) => `export const value${index}: ${type} = ${JSON.stringify(value)}`)
    .join('\n')

test('responses have the types that skep types writes, including two levels of expand', async () => {
  const skep = await startSkep()
  await defineShopping(callsOf(skep, await createFirstAdmin(skep)))
  const member = await skep.member()
  const ann = callsOf(skep, member)
  const bob = await skep.member()
  const { body: photo } = await upload(skep.call, { token: member.token })
  const { body: list } = await ann.create('lists', { name: 'Groceries', members: [bob.id] })
  const { body: task } = await ann.create('tasks', { title: 'Milk', list: list.id, photo: photo.id, amount: 1.5 })
  const expand = 'list,list.owner,list.members,photo,owner'
  const { body: whole } = await ann.get('tasks', task.id, `?expand=${expand}`)
  const { body: page } = await ann.list('tasks', { expand })
  const { body: item } = await ann.create('items', { title: 'Oak table' })
  expect(whole.expanded).toMatchObject({ list: { expanded: { owner: { id: member.id }, members: [{ id: bob.id }] } } })
  expect(Object.keys(whole.expanded ?? {}).sort()).toEqual(['list', 'owner', 'photo'])
  const values = {
    Task: whole,
    "Collections['tasks']['record'][]": page.items,
    'Required<TaskExpanded>': whole.expanded,
    List: list,
    "Collections['items']['record']": (await ann.get('items', item.id, '?expand=owner')).body,
  }
  expect(errorsIn(`${TYPES}\n${havingTypes(values)}`)).toEqual([])
})
