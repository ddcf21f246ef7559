import { call } from '../api.ts'
import { useLive } from '../live.ts'
import { useAction } from '../loading.ts'
import { Pager, usePages } from '../pager.tsx'
import { setQuery, usePlace } from '../router.ts'
import { PageHead } from '../shell.tsx'
import type { Job } from '../types.ts'
import { Button, Empty, Failure, Loading, Scrolled, Time } from '../ui.tsx'

const STATES = ['', 'queued', 'running', 'done', 'dead'] as const

const LOOKS: Readonly<Record<Job['state'], string>> = { queued: '', running: 'accent', done: 'done', dead: 'error' }

const Row = ({ job, onChange }: { job: Job; onChange: () => void }) => {
  const { run, isRunning, error } = useAction(async (method: string, path: string) => {
    await call(method, path)
    onChange()
  })
  const path = `/admin/jobs/${job.id}`
  return (
    <tr>
      <th scope="row">{job.id}</th>
      <td class="nowrap">{job.kind}</td>
      <td>
        <span class={`badge ${LOOKS[job.state]}`}>{job.state}</span>
      </td>
      <td class="number">{job.attempts}</td>
      <td class="nowrap">
        <Time value={job.run_at} />
      </td>
      <td>
        {job.last_error === null ? <span class="quiet">—</span> : <bdi>{job.last_error}</bdi>}
        {error !== null && <p class="fault">{error.message}</p>}
      </td>
      <td class="end nowrap">
        {job.state !== 'done' && job.state !== 'running' && (
          <Button
            kind="quiet"
            isBusy={isRunning}
            aria-label={`Retry job ${job.id}`}
            onClick={() => void run('POST', `${path}/retry`)}
          >
            Retry
          </Button>
        )}
        {job.state !== 'running' && (
          <Button
            kind="quiet"
            isBusy={isRunning}
            aria-label={`Delete job ${job.id}`}
            onClick={() => void run('DELETE', path)}
          >
            Delete
          </Button>
        )}
      </td>
    </tr>
  )
}

/** Mail and other background work. */
export const JobsPage = () => {
  const { query } = usePlace()
  const state = query.get('state') ?? ''
  const jobs = usePages<Job>('/admin/jobs', { state })
  useLive('jobs', jobs.reload)
  return (
    <>
      <PageHead title="Jobs" about="Mail and other background work. A job that fails eight times is dead." />
      <fieldset class="tabs">
        <legend class="hidden">State</legend>
        {STATES.map((each) => (
          <button key={each} type="button" aria-pressed={state === each} onClick={() => setQuery({ state: each })}>
            {each === '' ? 'All' : each}
          </button>
        ))}
      </fieldset>
      <Failure error={jobs.error} onRetry={jobs.reload} />
      {jobs.data === null && jobs.isLoading && <Loading />}
      {jobs.data?.items.length === 0 && (
        <Empty icon="jobs" title={state === '' ? 'No jobs' : `No job is ${state}`}>
          <p>Jobs appear here as soon as something queues one.</p>
        </Empty>
      )}
      {jobs.data !== null && jobs.data.items.length > 0 && (
        <Scrolled label="Jobs" isLoading={jobs.isLoading}>
          <table>
            <thead>
              <tr>
                <th scope="col">ID</th>
                <th scope="col">Kind</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  Attempts
                </th>
                <th scope="col">Runs at</th>
                <th scope="col">Last error</th>
                <td />
              </tr>
            </thead>
            <tbody>
              {jobs.data.items.map((job) => (
                <Row key={job.id} job={job} onChange={jobs.reload} />
              ))}
            </tbody>
          </table>
        </Scrolled>
      )}
      <Pager pages={jobs} />
    </>
  )
}
