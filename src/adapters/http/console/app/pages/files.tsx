import { useState } from 'preact/hooks'
import { client, save } from '../api.ts'
import { Confirm } from '../dialog.tsx'
import { useAction } from '../loading.ts'
import { Pager, usePages } from '../pager.tsx'
import { Picture } from '../picture.tsx'
import { PageHead } from '../shell.tsx'
import type { StoredFile } from '../types.ts'
import { Button, bytes, Empty, Failure, Loading, Scrolled, Time } from '../ui.tsx'
import { UploadButton } from '../upload-button.tsx'

const download = async ({ id, filename }: StoredFile): Promise<void> =>
  save(await (await client.files.download(id)).blob(), filename)

const Row = ({ file, onDelete }: { file: StoredFile; onDelete: () => void }) => {
  const { run, isRunning, error } = useAction(() => download(file))
  return (
    <tr>
      <td class="thumb">
        <Picture id={file.id} />
      </td>
      <th scope="row">
        <bdi>{file.filename}</bdi>
        {error !== null && <p class="fault">{error.message}</p>}
      </th>
      <td>{file.content_type}</td>
      <td class="number">{bytes(file.size)}</td>
      <td>{file.owner_id === null ? '—' : `#${file.owner_id}`}</td>
      <td class="nowrap">
        <Time value={file.created_at} />
      </td>
      <td class="end nowrap">
        <Button kind="quiet" isBusy={isRunning} aria-label={`Download ${file.filename}`} onClick={() => void run()}>
          Download
        </Button>
        <Button kind="quiet" aria-label={`Delete ${file.filename}`} onClick={onDelete}>
          Delete
        </Button>
      </td>
    </tr>
  )
}

/** All stored files. */
export const FilesPage = () => {
  const files = usePages<StoredFile>('/files/', {})
  const [deleting, setDeleting] = useState<StoredFile | null>(null)
  const { run, isRunning, error } = useAction(async (file: File) => {
    await client.files.upload(file)
    files.reload()
  })
  return (
    <>
      <PageHead title="Files">
        <UploadButton kind="primary" isBusy={isRunning} onPicked={(file) => void run(file)} />
      </PageHead>
      <Failure error={error} />
      <Failure error={files.error} onRetry={files.reload} />
      {files.data === null && files.isLoading && <Loading />}
      {files.data?.items.length === 0 && (
        <Empty icon="file" title="No files yet">
          <p>Files that users upload appear here.</p>
        </Empty>
      )}
      {files.data !== null && files.data.items.length > 0 && (
        <Scrolled label="Files" isLoading={files.isLoading}>
          <table>
            <thead>
              <tr>
                <td />
                <th scope="col">Name</th>
                <th scope="col">Type</th>
                <th scope="col" class="number">
                  Size
                </th>
                <th scope="col">Owner</th>
                <th scope="col">Uploaded</th>
                <td />
              </tr>
            </thead>
            <tbody>
              {files.data.items.map((file) => (
                <Row key={file.id} file={file} onDelete={() => setDeleting(file)} />
              ))}
            </tbody>
          </table>
        </Scrolled>
      )}
      <Pager pages={files} />
      {deleting !== null && (
        <Confirm
          title="Delete this file?"
          action="Delete"
          onClose={() => setDeleting(null)}
          onConfirm={async () => {
            await client.files.delete(deleting.id)
            files.reload()
          }}
        >
          <p>
            <bdi>{deleting.filename}</bdi> is deleted, and links to it stop working. This cannot be undone.
          </p>
        </Confirm>
      )}
    </>
  )
}
