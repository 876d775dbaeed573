#!/usr/bin/env bash
# ./run_celery_worker.sh [celery worker's options]
#
# A worker alone, for the queues default, crawl and stats. The first SIGTERM gives running tasks time to end.
# For a second one on the same machine add its name: -n second@%h

set -euo pipefail
here=${BASH_SOURCE[0]}
while [ -L "$here" ]; do
    link=$(readlink "$here")
    case $link in /*) here=$link ;; *) here=$(dirname "$here")/$link ;; esac
done
source "$(dirname "$here")/scripts/environment.sh"

case ${1:-} in -h | --help) show_help && exit ;; esac
ensure_environment run
exec "$python" -m launcher run worker "$@"
