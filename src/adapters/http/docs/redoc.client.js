/* global Redoc, protectedDocument */
// Beside this script's folder, whatever path a proxy has put in front of it.
const { href } = new URL('../openapi.json', document.currentScript.src)
const place = document.getElementById('page')
protectedDocument(href, place).then((content) => Redoc.init(content ?? href, { hideDownloadButtons: true }, place))
