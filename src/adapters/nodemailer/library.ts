/** Loaded for the first mail, because it would make every start longer. */
export const library = () => require('nodemailer') as typeof import('nodemailer')
