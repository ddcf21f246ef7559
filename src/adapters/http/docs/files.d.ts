declare module 'swagger-ui-dist/*' {
  const path: string
  export default path
}

declare module 'redoc/bundles/*' {
  const path: string
  export default path
}

declare module '*.client.js' {
  const path: string
  export default path
}
