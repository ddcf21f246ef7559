interface UploadButtonProps {
  readonly kind: 'primary' | 'plain'
  readonly isBusy: boolean
  readonly onPicked: (file: File) => void
}

/** Lets a person pick a file to upload. */
export const UploadButton = ({ kind, isBusy, onPicked }: UploadButtonProps) => (
  <label class={`button ${kind}`}>
    {isBusy ? 'Uploading…' : 'Upload a file'}
    <input
      type="file"
      class="hidden"
      onChange={({ currentTarget }) => {
        const [file] = currentTarget.files ?? []
        if (file !== undefined) onPicked(file)
        currentTarget.value = ''
      }}
    />
  </label>
)
