#!/usr/bin/env bash
# ./run_chaos.sh [--tier smoke|gate] [--seed N] [--server valkey|redis] [--out FOLDER] [SCENARIO …]
#
# Proves the promise of docs/reliability.md under kill -9, SIGSTOP and cut append-only files, on servers and beats of
# its own: nobody's real one is touched. First the checker itself is checked. Exits with 1 if any bar broke.
#
#   --tier     smoke (default; about 90 s) or gate (about 14 min)
#   --seed     decides the order, times and victims of all faults (default 1)
#   --server   valkey (default, bundled) or redis (redis-server on PATH)
#   --out      where reports, histories, pictures and logs go (default var/chaos)
#
# Scenarios: mix, cuts, stock-cuts; in the gate also takeover, workers, stock-lockless, stock-stopped. All of the tier
# where none is named.

set -euo pipefail
here=${BASH_SOURCE[0]}
while [ -L "$here" ]; do
    link=$(readlink "$here")
    case $link in /*) here=$link ;; *) here=$(dirname "$here")/$link ;; esac
done
called_from=$PWD
source "$(dirname "$here")/scripts/environment.sh"

case ${1:-} in -h | --help) show_help && exit ;; esac
ensure_environment all
"$project_dir/.venv/bin/pytest" -q tests/chaos --ignore tests/chaos/test_smoke.py
cd "$called_from"
export PYTHONPATH=$project_dir/tests:$project_dir/backend
exec "$python" -m chaos "$@"
