/** A collection that a user would define for the notes that the peers have. */
export const NOTES = {
  name: 'notes',
  schema: {
    type: 'object',
    required: ['title', 'description', 'price'],
    properties: {
      title: { type: 'string', minLength: 1, maxLength: 200 },
      description: { type: 'string', maxLength: 10_000 },
      price: { type: 'integer' },
    },
  },
  indexes: [{ fields: ['price'] }],
} as const

export const NOTES_PATH = '/api/v1/collections/notes/records/'

const DESCRIPTION =
  'A solid oak table from the old school, sanded and oiled. Seats six; one leg was replaced in spring.'
const PRICES_COUNT = 1_000

/** Note number `n`, as it is created. */
export const noteDraft = (n: number) => ({
  title: `Oak table ${n}, restored`,
  description: DESCRIPTION,
  price: n % PRICES_COUNT,
})
