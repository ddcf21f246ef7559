/** Resolves when `holds`. For what another process or a timer brings about. */
export const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await Bun.sleep(5)
}
