#!/usr/bin/env bash
# ./check_schedules.sh
#
# What is really scheduled: every schedule in Redis with its last and next run, who leads, which workers answer, the
# last runs. --json for programs, --lang ko|en. Exit status 0 healthy, 1 no schedules, 2 Redis or beat down.

set -euo pipefail
here=${BASH_SOURCE[0]}
while [ -L "$here" ]; do
    link=$(readlink "$here")
    case $link in /*) here=$link ;; *) here=$(dirname "$here")/$link ;; esac
done
source "$(dirname "$here")/scripts/environment.sh"

ensure_environment run
exec "$python" -m app.check_schedules "$@"
