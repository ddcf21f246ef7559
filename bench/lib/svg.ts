/** Light and dark; blue, orange and green stay apart for the colour-blind too. */
export const STYLE = `
  svg { --ground: #fff; --text: #1f2328; --faint: #59636e; --grid: #d8dee4; --s0: #0969da; --s1: #bc4c00; --s2: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #0d1117; --text: #e6edf3; --faint: #9198a1; --grid: #30363d; --s0: #58a6ff; --s1: #f0883e; --s2: #3fb950 }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--text) }
  .title { font-size: 15px; font-weight: 600 }
  .tick { fill: var(--faint); font-size: 11px }
  .ground { fill: var(--ground) }
  .grid { stroke: var(--grid); stroke-width: 1 }
`

export const escapeXml = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0) ?? 0};`)

interface Drawing {
  readonly title: string
  readonly width: number
  readonly height: number
  /** Where the title begins. */
  readonly left: number
  /** Besides {@link STYLE}. */
  readonly style: string
  readonly body: string
}

/** A drawing as SVG: no script, no font, no reference to anything outside; legible on light and on dark ground. */
export const renderSvg = ({ title, width, height, left, style, body }: Drawing): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}">
<style>${STYLE}${style}</style>
<rect class="ground" width="${width}" height="${height}"/>
<text class="title" x="${left}" y="22">${escapeXml(title)}</text>
${body}
</svg>
`
