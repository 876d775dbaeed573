#!/usr/bin/env bash
# ./run_api.sh [uvicorn's options]
#
# The API, dashboard and admin alone, on API_HOST:API_PORT (127.0.0.1:8000). Redis and the database are those that the
# settings name, or the embedded ones of a ./run_all.sh that runs. SIGTERM stops it.

set -euo pipefail
here=${BASH_SOURCE[0]}
while [ -L "$here" ]; do
    link=$(readlink "$here")
    case $link in /*) here=$link ;; *) here=$(dirname "$here")/$link ;; esac
done
source "$(dirname "$here")/scripts/environment.sh"

case ${1:-} in -h | --help) show_help && exit ;; esac
ensure_environment run
exec "$python" -m launcher run api "$@"
