/* global Redoc */
// Beside this script's folder, whatever path a proxy has put in front of it.
Redoc.init(
  new URL('../openapi.json', document.currentScript.src).href,
  { hideDownloadButtons: true },
  document.getElementById('page'),
)
