const { SKEP_TEST_STACK, SKEP_TEST_S3_URL = '', AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env

/** Whether there is an S3 server to test with: `scripts/test-s3.sh` starts one. */
export const HAS_S3 = SKEP_TEST_S3_URL !== ''

/** Settings for the place `name` in the bucket of the tests, through `endpoint` if it is given. */
export const s3Settings = (name: string, endpoint?: string): Record<string, string> => {
  const url = new URL(SKEP_TEST_S3_URL)
  url.pathname = `/${name}`
  if (endpoint !== undefined) url.searchParams.set('endpoint', endpoint)
  return { FILES_URL: url.href, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }
}

/** Where the files of the installation in a data folder are when the tests run on shared services; else nothing. */
export const sharedFiles = (dataDir: string): Record<string, string> =>
  SKEP_TEST_STACK === 'shared' && HAS_S3 ? s3Settings(Bun.hash(dataDir).toString(36)) : {}
