/** An item as a client sends it: a line, a paragraph and some fields. */
export const DRAFT = JSON.stringify({
  title: 'Oak table, restored',
  description: 'A solid oak table from the old school, sanded and oiled. Seats six; one leg was replaced in spring.',
  data: { price: 240, currency: 'EUR', tags: ['oak', 'table', 'restored'], size: { width: 180, depth: 90 } },
})
