/* global SwaggerUIBundle */
SwaggerUIBundle({
  // Beside this script's folder, whatever path a proxy has put in front of it.
  url: new URL('../openapi.json', document.currentScript.src).href,
  dom_id: '#page',
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // Otherwise the document would be sent to a validator elsewhere.
  validatorUrl: null,
})
