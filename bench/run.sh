#!/usr/bin/env bash
# bench/run.sh [--what NAME,…] [--runs 7] [--n 10000] [--out FOLDER] [--publish] [--help]
#
# Measures the engine beside its peers (docs/performance.md). Makes the environment first, the peers' packages too.

set -euo pipefail
called_from=$PWD
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/environment.sh"

ensure_environment run
"$python" -c 'import apscheduler, django_celery_beat' 2>/dev/null ||
    env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT="$project_dir/.venv" "$project_dir/.venv/bin/uv" sync --quiet --frozen \
        --inexact --python "$python" --no-dev --group bench
cd "$called_from"
PYTHONPATH="$project_dir:$project_dir/backend" exec "$python" -m bench "$@"
