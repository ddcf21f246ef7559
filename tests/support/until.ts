/** Resolves when `holds`. For what another process or a timer brings about. */
export const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await Bun.sleep(5)
}
