#!/bin/sh
# Makes the passwords that compose.yaml needs, once: `secrets/`, which containers read as files, and `.env` for compose.
set -eu
cd "${1:-$(dirname "$0")}"

if [ -e secrets ] || [ -e .env ]; then
  echo 'secrets or .env exists: nothing was changed' >&2
  exit 1
fi

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# Whoever a container runs as must read its file. On this machine nobody but you gets into the folder.
mkdir -m 0700 secrets
for name in postgres_password database_password redis_password; do
  random > "secrets/$name"
  chmod 0644 "secrets/$name"
done

umask 077
cat > .env <<ENV
DATABASE_PASSWORD=$(cat secrets/database_password)
REDIS_PASSWORD=$(cat secrets/redis_password)
JWT_SECRET=$(random)
ENV
