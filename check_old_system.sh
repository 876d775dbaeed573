#!/usr/bin/env bash
# ./check_old_system.sh
#
# Before the switch from the old stats-refresh consumer: what its database and its Redis hold in store. It only reads.
# --json for programs, --lang ko|en. Exit status 0 nothing found but notes, 1 warnings, 2 errors, or it could not look.

set -euo pipefail
here=${BASH_SOURCE[0]}
while [ -L "$here" ]; do
    link=$(readlink "$here")
    case $link in /*) here=$link ;; *) here=$(dirname "$here")/$link ;; esac
done
source "$(dirname "$here")/scripts/environment.sh"

case ${1:-} in -h | --help) show_help && exit ;; esac
ensure_environment run
exec "$python" -m app.check_old_system "$@"
