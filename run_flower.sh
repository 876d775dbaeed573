#!/usr/bin/env bash
# FLOWER_BASIC_AUTH=user:password ./run_flower.sh [flower's options]
#
# Flower alone, read-only, on 127.0.0.1:5555, behind that user and password (also from .env). Under ./run_all.sh
# Flower needs none: it is at /flower/, behind the platform's own sign-in.

set -euo pipefail
here=${BASH_SOURCE[0]}
while [ -L "$here" ]; do
    link=$(readlink "$here")
    case $link in /*) here=$link ;; *) here=$(dirname "$here")/$link ;; esac
done
source "$(dirname "$here")/scripts/environment.sh"

case ${1:-} in -h | --help) show_help && exit ;; esac
ensure_environment run
exec "$python" -m launcher run flower "$@"
