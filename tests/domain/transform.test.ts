import { describe, expect, test } from 'bun:test'
import type { Json } from '../../src/domain/merge-patch.ts'
import { MAX_OPERATIONS_COUNT, parseTransform } from '../../src/domain/transform.ts'

const pointersOf = (value: Json): readonly string[] => {
  const parsed = parseTransform(value)
  return 'faults' in parsed ? parsed.faults.map(({ pointer }) => pointer) : []
}

describe('a transform', () => {
  test('has each operation of a JSON Patch, and members that RFC 6902 does not know', () => {
    const transform = [
      { op: 'add', path: '/a~1b/-', value: null },
      { op: 'remove', path: '/a' },
      { op: 'replace', path: '', value: {} },
      { op: 'move', from: '/a', path: '/ab' },
      { op: 'copy', from: '', path: '/a', note: 'why' },
      { op: 'test', path: '/', value: 1 },
    ]
    expect(parseTransform(transform)).toEqual({ transform })
    expect(parseTransform([])).toEqual({ transform: [] })
  })

  test.each<[Json, readonly string[]]>([
    [{}, ['/transform']],
    [
      [1, 'x', null, []],
      ['/transform/0', '/transform/1', '/transform/2', '/transform/3'],
    ],
    [[{}], ['/transform/0', '/transform/0']],
    [[{ op: 'Add', path: '/a', value: 1 }], ['/transform/0/op']],
    [[{ op: 'add', path: '/a' }], ['/transform/0']],
    [[{ op: 'move', path: '/a' }], ['/transform/0']],
    [[{ op: 'copy', path: 'a', from: 7 }], ['/transform/0/path', '/transform/0/from']],
    [[{ op: 'remove', path: '/a~2' }], ['/transform/0/path']],
    [[{ op: 'remove', path: '/a~' }], ['/transform/0/path']],
    [[{ op: 'add', path: '/o/__proto__/x', value: 1 }], ['/transform/0/path']],
    [[{ op: 'move', from: '/o', path: '/o/x' }], ['/transform/0/path']],
    [
      [
        { op: 'remove', path: '/a' },
        { op: 'test', path: null, value: 1 },
      ],
      ['/transform/1/path'],
    ],
    [Array(MAX_OPERATIONS_COUNT + 1).fill({ op: 'remove', path: '/a' }), ['/transform']],
  ])('%j has faults at %j', (transform, pointers) => {
    expect(pointersOf(transform)).toEqual([...pointers])
  })
})
