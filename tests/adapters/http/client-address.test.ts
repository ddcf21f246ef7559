import { expect, test } from 'bun:test'
import { clientAddress } from '../../../src/adapters/http/client-address.ts'
import { networksOf } from '../../../src/domain/network.ts'

test('without trusted proxies the peer is the client, whatever X-Forwarded-For says', () => {
  expect(clientAddress('192.0.2.1', '198.51.100.7', 0)).toBe('192.0.2.1')
})

test.each([
  ['198.51.100.7', 1, '198.51.100.7'],
  ['6.6.6.6, 198.51.100.7', 1, '198.51.100.7'],
  ['6.6.6.6, 198.51.100.7, 10.0.0.2', 2, '198.51.100.7'],
  ['198.51.100.7', 3, '198.51.100.7'],
  ['198.51.100.7:4711', 1, '198.51.100.7'],
  ['[2001:db8::7]:4711', 1, '2001:db8::7'],
  ['::ffff:198.51.100.7', 1, '198.51.100.7'],
  ['6.6.6.6, nonsense', 1, '10.0.0.1'],
  ['', 1, '10.0.0.1'],
])('of %p with %i trusted proxies the client is %s', (header, trusted, expected) => {
  expect(clientAddress('10.0.0.1', header, trusted)).toBe(expected)
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::99', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('%s counts as %s', (address, group) => {
  expect(networksOf(address).client).toBe(group)
})
