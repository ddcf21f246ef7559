const OPEN = { read: 'true', create: 'true', update: 'true', delete: 'true' }

/** A collection of texts that anyone may use, also without a token. */
export const BOARD = {
  schema: {
    type: 'object',
    required: ['text'],
    properties: {
      text: { type: 'string', minLength: 1, maxLength: 100 },
      size: { type: 'number' },
      about: { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } } },
      label: { type: 'string', maxLength: 20, default: 'none' },
    },
  },
  indexes: [{ fields: ['text'] }],
  search: ['text'],
  rules: OPEN,
}
