#!/usr/bin/env bash
# A private Postgres and, where there is one, Redis for tests, on free ports of 127.0.0.1, with their data in FOLDER.
#   test-services.sh start FOLDER    starts them and prints the variables that tests need, as export lines
#   test-services.sh restart FOLDER  stops Postgres as an operator would and starts it again, on the same port
#   test-services.sh pause FOLDER    stops Postgres, until
#   test-services.sh resume FOLDER   starts it again, on the same port
#   test-services.sh stop FOLDER     stops them; the folder is the caller's to remove
# Postgres refuses to run as root: there, it runs as the user that POSTGRES_USER names, else as postgres. It gets the
# options in POSTGRES_OPTIONS: with `-c fsync=off`, commits do not wait for the disk, and are safe unless the machine fails.
set -euo pipefail

fail() {
  echo "$*" >&2
  exit 1
}

[ $# -eq 2 ] || fail "usage: $0 start|restart|pause|resume|stop FOLDER"
readonly command=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
readonly folder postgres="$folder/postgres"

as_server() {
  if [ "$(id -u)" -eq 0 ]; then runuser -u "${POSTGRES_USER:-postgres}" -- "$@"; else "$@"; fi
}

# Where Debian keeps the programs of the newest version, when they are not on the PATH.
find_postgres() {
  if command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then return; fi
  local newest
  newest=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
  [ -n "$newest" ] || fail 'Postgres is not installed'
  export PATH="$newest:$PATH"
}

control() {
  (cd "$postgres" && as_server pg_ctl -D "$postgres/data" -s -w -l "$postgres/log" "$@") >&2
}

start_postgres() {
  mkdir -p "$postgres"
  # Whoever the server runs as must get there.
  chmod a+x "$folder"
  if [ "$(id -u)" -eq 0 ]; then chown "${POSTGRES_USER:-postgres}" "$postgres"; fi
  if [ ! -d "$postgres/data" ]; then
    (cd "$postgres" && as_server initdb -D "$postgres/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8) >/dev/null
    cat >>"$postgres/data/postgresql.conf" <<-CONF
			listen_addresses = '127.0.0.1'
			unix_socket_directories = '$postgres'
			max_connections = 300
			log_min_messages = fatal
		CONF
  fi
  local try port
  for try in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    # A port that is taken makes the start fail.
    if control -o "-p $port ${POSTGRES_OPTIONS:-}" start; then
      echo "$port" >"$postgres/port"
      echo "export SKEP_TEST_POSTGRES_URL=postgres://postgres@127.0.0.1:$port/postgres"
      return
    fi
  done
  fail "Postgres did not start: $postgres/log"
}

# It keeps nothing on the disk. Tests that stop and start a Redis have their own.
start_redis() {
  command -v redis-server >/dev/null || return 0
  mkdir -p "$folder/redis"
  local try port
  for try in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    redis-server --port "$port" --bind 127.0.0.1 --dir "$folder/redis" --save '' --daemonize yes \
      --pidfile "$folder/redis/pid" --logfile "$folder/redis/log" >/dev/null
    for _ in $(seq 50); do
      if redis-cli -p "$port" ping 2>/dev/null | grep -q PONG && [ -f "$folder/redis/pid" ]; then
        echo "export SKEP_TEST_REDIS_URL=redis://127.0.0.1:$port"
        return
      fi
      sleep 0.1
    done
  done
  fail "Redis did not start: $folder/redis/log"
}

find_postgres
case $command in
  start)
    start_postgres
    start_redis
    ;;
  restart) control -m fast restart ;;
  pause) control -m fast stop ;;
  resume) control -o "-p $(cat "$postgres/port") ${POSTGRES_OPTIONS:-}" start ;;
  stop)
    if [ -f "$folder/redis/pid" ]; then kill "$(cat "$folder/redis/pid")"; fi
    control -m fast stop
    ;;
  *) fail "no such command: $command" ;;
esac
