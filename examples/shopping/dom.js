// What the page is made of.

export const $ = (id) => document.getElementById(id)

export const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}

export const button = (textContent, properties) =>
  element('button', { type: 'button', className: 'small', textContent, ...properties })

export const complain = (text) => {
  $('problem').textContent = text
}

export const showState = (text, live = false) => {
  $('state').textContent = text
  $('state').dataset.live = live
}

/**
 * Makes the rows of `list` those of `records`. Rows that are there stay, and with them the focus; from one that goes it
 * moves to a neighbour.
 */
export const showRows = (list, records, { create, fill, fallback }) => {
  const rows = new Map([...list.children].map((row) => [row.dataset.id, row]))
  records.forEach((record, index) => {
    const row = rows.get(String(record.id)) ?? create(record.id)
    rows.delete(String(record.id))
    row.dataset.id = record.id
    fill(row, record)
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null)
  })
  for (const row of rows.values()) {
    const hadFocus = row.contains(document.activeElement)
    const next = row.nextElementSibling ?? row.previousElementSibling
    row.remove()
    if (hadFocus) (next?.querySelector('input, button') ?? fallback)?.focus()
  }
}
