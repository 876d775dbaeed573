#!/usr/bin/env bash
# ./run_consumer.sh [celery worker's options]
#
# A worker for the queue stats alone: the stats-refresh consumer. The first SIGTERM gives running tasks time to end.

set -euo pipefail
here=${BASH_SOURCE[0]}
while [ -L "$here" ]; do
    link=$(readlink "$here")
    case $link in /*) here=$link ;; *) here=$(dirname "$here")/$link ;; esac
done
source "$(dirname "$here")/scripts/environment.sh"

case ${1:-} in -h | --help) show_help && exit ;; esac
ensure_environment run
exec "$python" -m launcher run consumer "$@"
