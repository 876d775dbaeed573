#!/usr/bin/env bash
# ./run_celery_beat.sh [celery beat's options]
#
# A beat alone. Any number of them may run; one leads. SIGTERM stops it.

set -euo pipefail
here=${BASH_SOURCE[0]}
while [ -L "$here" ]; do
    link=$(readlink "$here")
    case $link in /*) here=$link ;; *) here=$(dirname "$here")/$link ;; esac
done
source "$(dirname "$here")/scripts/environment.sh"

case ${1:-} in -h | --help) show_help && exit ;; esac
ensure_environment run
exec "$python" -m launcher run beat "$@"
