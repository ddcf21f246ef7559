import { defineCollection } from '../collection.ts'

/** A titled record that an application stores for its users. */
export const ITEMS = defineCollection({
  name: 'items',
  singular: 'item',
  description: 'Things with a title, a description and any data',
  fields: {
    title: {
      type: 'string',
      minLength: 1,
      maxLength: 200,
      'x-line': true,
      description: 'One line',
      examples: ['Oak table'],
    },
    description: { type: ['string', 'null'], maxLength: 10_000, examples: ['Two metres long, with a scratch'] },
    data: {
      type: 'object',
      'x-max-bytes': 16_384,
      description: 'Up to 16 kB of JSON',
      examples: [{ price: 240, tags: ['wood'] }],
    },
  },
  required: ['title'],
  sorts: ['title'],
  search: ['title', 'description'],
})
