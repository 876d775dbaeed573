#!/usr/bin/env bash
# ./run_chaos.sh [--tier smoke|gate|nightly|soak] [--minutes N] [--seed N] [--server valkey|redis] [--out FOLDER] [--publish]
#                [SCENARIO …]
#
# Proves the promise of docs/reliability.md under kills, stops, lost replies, cut lines, full disks and cut append-only
# files, on servers and processes of its own: nobody's real one is touched. First the checker itself is checked. Exits
# with 1 if any bar broke. Ctrl-C ends the faults; the report of what was done until then still comes.
#
#   --tier     smoke (default; about 2 min), gate (each fault alone; about 28 min), nightly (all of them at once for half
#              an hour, and 100 kills, 20 restarts, 2,000 refresh requests; about 75 min) or soak (4 hours)
#   --minutes  make the whole tier shorter or longer, with fewer or more faults
#   --seed     decides the order, times and victims of all faults (default 1)
#   --server   valkey (default, bundled) or redis (redis-server on PATH)
#   --out      where reports, histories, pictures and logs go (default var/chaos)
#   --publish  run nothing; put what that folder holds into docs/reliability.md, with a picture
#
# A scenario that the tier doesn't have is answered with the list of those that it has.

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
case " $* " in
    *" --publish "*) ;;
    *) "$project_dir/.venv/bin/pytest" -q -n 2 tests/chaos --ignore tests/chaos/test_smoke.py ;;
esac
cd "$called_from"
export PYTHONPATH=$project_dir/tests:$project_dir/backend
exec "$python" -m chaos "$@"
