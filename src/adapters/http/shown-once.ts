/** By the value that is shown. */
const texts = new WeakMap<object, string>()

/** The JSON text of a response. */
export const textOf = (shown: object): string => texts.get(shown) ?? JSON.stringify(shown)

/** Makes the text of a page of those of its items. */
export const shownAsPage = <Page extends { readonly items: readonly object[] }>(page: Page): Page => {
  const { items, ...rest } = page
  texts.set(page, `{"items":[${items.map(textOf).join()}],${JSON.stringify(rest).slice(1)}`)
  return page
}

/**
 * Caches the text of a value as long as the value exists: rows in a cache of rows are the same objects until something is committed.
 */
export const shownOnce = <Value extends object, Shown extends object>(
  show: (value: Value) => Shown,
): ((value: Value) => Shown) => {
  const known = new WeakMap<Value, Shown>()
  return (value) => {
    const found = known.get(value)
    if (found !== undefined) return found
    const shown = show(value)
    known.set(value, shown)
    texts.set(shown, JSON.stringify(shown))
    return shown
  }
}
