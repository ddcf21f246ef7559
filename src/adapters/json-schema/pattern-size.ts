/** A class by a property of Unicode (`\p{L}`) has hundreds of ranges, and takes as long to compile as four others. */
const UNICODE_CLASS_SIZE = 4

/** The next piece of a valid pattern: an escape, a class, a repetition, the begin of a group, or a character. */
const TOKEN =
  /\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\k<[^>]*>|\\.|\[(?:\\.|[^\]\\])*\]|\{(?<min>\d+),?(?<max>\d*)\}\??|[*+?]\??|\((?:\?(?:<[A-Za-z_$][^>]*>|[a-z-]*:|<?[=!]))?|./gs

const UNICODE_CLASS = /\\[pP]\{/g

/** Whether a pattern may have a class by a property of Unicode. */
export const hasUnicodeClass = (source: string): boolean => source.search(UNICODE_CLASS) !== -1

const atomSize = (token: string): number => Math.max(1, (token.match(UNICODE_CLASS)?.length ?? 0) * UNICODE_CLASS_SIZE)

interface Group {
  /** Of everything before the last atom. */
  size: number
  /** Of the last atom, which a quantifier repeats. */
  last: number
}

const append = (group: Group, size: number): void => {
  group.size += group.last
  group.last = size
}

/**
 * An estimate of how many instructions a valid pattern compiles to, before it is compiled: repetitions such as
 * `(…){1000}` are written out, so that a short pattern can become a huge program.
 */
export const sizeOfPattern = (source: string): number => {
  let group: Group = { size: 0, last: 0 }
  const outer: Group[] = []
  for (const { 0: token, groups } of source.matchAll(TOKEN)) {
    if (token.startsWith('(')) {
      outer.push(group)
      group = { size: 1, last: 0 }
    } else if (token === ')') {
      const inner = group.size + group.last
      group = outer.pop() ?? { size: 0, last: 0 }
      append(group, inner + 1)
    } else if (groups?.min !== undefined) {
      const min = Number(groups.min)
      const max = Math.max(1, min, Number(groups.max ?? 0))
      group.last = group.last * max + max - min
    } else if (/^[*+?]/.test(token)) group.last += 1
    else append(group, atomSize(token))
  }
  return [...outer, group].reduce((sum, { size, last }) => sum + size + last, 0)
}
