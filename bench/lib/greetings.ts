/** After so many texts a socket hears events. */
export const GREETINGS_COUNT = 2
