/* global Redoc */
Redoc.init('/openapi.json', { hideDownloadButtons: true }, document.getElementById('page'))
