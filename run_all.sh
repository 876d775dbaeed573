#!/usr/bin/env bash
# ./run_all.sh [--demo | --no-demo] [--without beat|worker|recorder|flower|bridge]
#
# Livebeat whole, with nothing but Python 3.11 or later: makes .venv on the first start, starts an embedded Redis
# (Valkey) and SQLite where no server is configured, migrates, starts every process and keeps it alive. Prints
# "ready <address>" once everything works. Ctrl-C or SIGTERM stops all of it (a second one: at once); data stays.
#
#   --demo, --no-demo   simulated upstreams and invented rows, or none (default: only into embedded servers)
#   --without NAME      leave a process out, to run it by hand
#
# Settings, from the environment or .env: API_HOST, API_PORT (127.0.0.1, 8000), LIVEBEAT_DATA_DIR (./var),
# REDIS_URL or REDIS_HOST, DATABASE_URL or POSTGRES_HOST (embedded-postgres:// for PostgreSQL without a server),
# RUN_BRIDGE=true for the bridge (docs/bridge.md).
# From another terminal: .venv/bin/python -m launcher status, .venv/bin/python -m launcher down

set -euo pipefail
here=${BASH_SOURCE[0]}
while [ -L "$here" ]; do
    link=$(readlink "$here")
    case $link in /*) here=$link ;; *) here=$(dirname "$here")/$link ;; esac
done
source "$(dirname "$here")/scripts/environment.sh"

case ${1:-} in -h | --help) show_help && exit ;; esac
case ${DATABASE_URL:-} in
    embedded-postgres:*) ensure_environment all ;; # its programs come with the development tools
    *) ensure_environment run ;;
esac
exec "$python" -m launcher up "$@"
