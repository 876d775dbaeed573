#!/usr/bin/env bash
# ./run_bridge.sh
#
# The bridge alone: takes the stats-refresh requests that other systems still push to the old Redis list
# (docs/bridge.md). Any number of them may run. SIGTERM stops it.

set -euo pipefail
here=${BASH_SOURCE[0]}
while [ -L "$here" ]; do
    link=$(readlink "$here")
    case $link in /*) here=$link ;; *) here=$(dirname "$here")/$link ;; esac
done
source "$(dirname "$here")/scripts/environment.sh"

case ${1:-} in -h | --help) show_help && exit ;; esac
ensure_environment run
exec "$python" -m launcher run bridge "$@"
