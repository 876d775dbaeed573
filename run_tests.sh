#!/usr/bin/env bash
# ./run_tests.sh [pytest's arguments]
#
# Everything that CI checks: lint, formatting, types, layers, then the unit, integration and end-to-end tests, those
# with a database on SQLite and on PostgreSQL, the engine's on Valkey and on Redis (where redis-server is installed; in
# CI it must be), and a short chaos run. Makes the environment first. With arguments, pytest alone:
# ./run_tests.sh tests/unit -k cron
# Exits with 1 if any check failed, after running them all.

set -euo pipefail
here=${BASH_SOURCE[0]}
while [ -L "$here" ]; do
    link=$(readlink "$here")
    case $link in /*) here=$link ;; *) here=$(dirname "$here")/$link ;; esac
done
source "$(dirname "$here")/scripts/environment.sh"

case ${1:-} in -h | --help) show_help && exit ;; esac
ensure_environment all
bin=$project_dir/.venv/bin
# The tests start servers of their own; nobody's real one may be in reach.
unset REDIS_URL REDIS_HOST DATABASE_URL POSTGRES_HOST
# They start a thousand processes, too: what one has compiled the others load.
unset PYTHONDONTWRITEBYTECODE
if [ $# -gt 0 ]; then
    exec "$bin/pytest" "$@"
fi

failed=()
check() {
    local name=$1 started=$SECONDS
    shift
    printf '\n== %s: %s\n' "$name" "${*#"$project_dir"/}"
    "$@" || failed+=("$name")
    printf '== %s: %d s\n' "$name" $((SECONDS - started))
}

check lint "$bin/ruff" check
check format "$bin/ruff" format --check
check types "$bin/mypy"
check layers "$bin/lint-imports"
check unit "$bin/pytest" tests/unit -q -n 2
check integration "$bin/pytest" tests/integration -q -n 6 --dist worksteal
check redbeat "$bin/pytest" tests/redbeat_suite -q -n 2
check integration-on-postgres env TEST_DATABASE=postgres "$bin/pytest" tests/integration -q -n 6 --dist worksteal \
    -m django_db -k "not logging and not sentry and not docker and not fault"
if [ "${CI:-}" = true ] || command -v redis-server >/dev/null; then
    check engine-on-redis env TEST_SERVER=redis "$bin/pytest" -q -n 2 --dist worksteal \
        tests/integration/test_{adoption,ahead,clockwatch,dispatch,ledger,message,store,store_pause,template}.py
else
    printf '\n== engine-on-redis: left out, there is no redis-server on PATH\n'
fi
check e2e "$bin/pytest" tests/e2e -q -n 4 --dist loadfile
check chaos "$bin/pytest" tests/chaos -q -n 6 --dist worksteal
if [ ${#failed[@]} -gt 0 ]; then
    printf '\nfailed: %s\n' "${failed[*]}"
    exit 1
fi
printf '\nall passed in %d s\n' "$SECONDS"
