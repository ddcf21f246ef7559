import { Elysia, type Static, t } from 'elysia'
import type { Jobs } from '../../application/jobs.ts'
import { JOB_STATES, type Job } from '../../domain/job.ts'
import { actorOf, callerOf } from './call.ts'
import { integer } from './integer.ts'
import type { Kernel } from './kernel.ts'
import { NEWEST_FIRST, pageQuery, pageResponse, toPageRequest, toPageResponse } from './pages.ts'
import { problems } from './problems.ts'
import { choiceOf, Id, IdParams, NoContent, queryOf, Timestamp } from './schemas.ts'
import { toTimestamp } from './timestamps.ts'

const State = choiceOf(JOB_STATES, { title: 'JobState' })

const JobResponse = t.Object(
  {
    id: Id,
    kind: t.String({ examples: ['mail'] }),
    state: State,
    attempts: integer({ minimum: 0, description: 'How many times it was started', examples: [8] }),
    run_at: Timestamp,
    last_error: t.Nullable(t.String({ examples: ['connect ECONNREFUSED 192.0.2.25:587'] })),
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { title: 'Job' },
)

export const toResponse = (job: Omit<Job, 'payload'>): Static<typeof JobResponse> => ({
  id: job.id,
  kind: job.kind,
  state: job.state,
  attempts: job.attempts,
  run_at: toTimestamp(job.runAt),
  last_error: job.lastError,
  created_at: toTimestamp(job.createdAt),
  updated_at: toTimestamp(job.updatedAt),
})

const SORTS = ['created_at'] as const

export const jobRoutes = (kernel: Kernel, jobs: Jobs) =>
  new Elysia({ prefix: '/admin/jobs', tags: ['admin'] })
    .use(kernel)
    .get(
      '',
      async ({ call, query }) => {
        const request = toPageRequest(query, SORTS, NEWEST_FIRST)
        const page = await jobs.list(actorOf(call), { ...request, state: query.state ?? null })
        return toPageResponse(page, request, toResponse)
      },
      {
        admit: { who: 'admin' },
        query: queryOf({ ...pageQuery(SORTS), state: t.Optional(State) }),
        response: { 200: pageResponse(JobResponse), ...problems() },
        detail: {
          operationId: 'listJobs',
          summary: 'List jobs by state',
          description:
            'For admins: mail and other background work. `state` selects jobs that are queued, running, done or dead.',
        },
      },
    )
    .post(
      '/:id/retry',
      async ({ call, params, request, addressOf }) =>
        toResponse(await jobs.retry(callerOf(call, addressOf(request)), Number(params.id))),
      {
        admit: { who: 'admin' },
        params: IdParams,
        response: { 200: JobResponse, ...problems(409) },
        detail: {
          operationId: 'retryJob',
          summary: 'Run a waiting or dead job now',
          description: 'For admins: queues the job again and resets its attempts to zero.',
        },
      },
    )
    .delete(
      '/:id',
      async ({ call, params, request, status, addressOf }) => {
        await jobs.remove(callerOf(call, addressOf(request)), Number(params.id))
        return status(204, undefined)
      },
      {
        admit: { who: 'admin' },
        params: IdParams,
        response: { 204: NoContent, ...problems(409) },
        detail: {
          operationId: 'deleteJob',
          summary: 'Remove a job that is not running',
          description: 'For admins: removes a job in any state except `running`.',
        },
      },
    )
