/** After so many texts a socket hears events. */
export const GREETINGS = 2
