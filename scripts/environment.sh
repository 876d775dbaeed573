# Sourced by the scripts in the project folder: goes there, and makes `.venv` from uv.lock where it is missing or old.
#
# Needs bash, Python 3.11 or later with its venv module, and a package index. Nothing outside the project folder is
# changed but the package caches of pip and uv. Sets `project_dir` and `python`.

UV_VERSION=0.13.9
project_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$project_dir"
python=$project_dir/.venv/bin/python
_stamp=$project_dir/.venv/.synced

# The comment at the top of the script `$here` is its help.
show_help() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$project_dir/$(basename "$here")"
}

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 1
}

_say() {
    printf '%s\n' "$1" >&2
}

_find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    fail "Python 3.11 or later is needed; none of python3, python3.13, python3.12, python3.11 is"
}

_make_venv() {
    local base
    base=$(_find_python)
    "$base" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$("$base" --version) has no venv module: install it (Debian, Ubuntu: apt install python3-venv)"
    _say "making .venv with $("$base" --version) …"
    rm -rf "$project_dir/.venv/bin"
    "$base" -m venv "$project_dir/.venv"
}

_install_uv() {
    [ "$("$project_dir/.venv/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" = "$UV_VERSION" ] && return
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip --default-pip >/dev/null
    "$python" -m pip install -qq --disable-pip-version-check "uv==$UV_VERSION"
}

# What the environment was made from; the folder too, since its scripts name it.
_fingerprint() {
    printf '%s %s %s' "$(cksum <uv.lock)" "$UV_VERSION" "$project_dir"
}

# Two scripts started at once must not both install: the second one waits for the first.
_lock_environment() {
    local lock=$project_dir/.venv/.making holder told=
    mkdir -p "$project_dir/.venv"
    until mkdir "$lock" 2>/dev/null; do
        holder=$(cat "$lock/pid" 2>/dev/null || true)
        if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
            rm -rf "$lock"
        else
            [ -n "$told" ] || _say "waiting for another script that makes .venv (or remove $lock) …"
            told=yes
            sleep 0.3
        fi
    done
    printf '%s' "$$" >"$lock/pid"
    trap 'rm -rf "$project_dir/.venv/.making"' EXIT
}

_unlock_environment() {
    rm -rf "$project_dir/.venv/.making"
    trap - EXIT
}

_is_synced() {
    local groups made_from
    [ -x "$python" ] && [ -r "$_stamp" ] || return 1
    { read -r groups && read -r made_from; } <"$_stamp" || return 1
    [ "$made_from" = "$(_fingerprint)" ] && { [ "$groups" = all ] || [ "$groups" = "$1" ]; }
}

_sync() {
    local groups=$1 started=$SECONDS without=--no-dev
    [ "$groups" = run ] || without=
    _say "installing packages from uv.lock …"
    env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT="$project_dir/.venv" UV_PYTHON_DOWNLOADS=never \
        "$project_dir/.venv/bin/uv" sync --quiet --frozen --inexact --python "$python" $without ||
        fail "the packages could not be installed, see above"
    printf '%s\n%s\n' "$groups" "$(_fingerprint)" >"$_stamp"
    _say "installed in $((SECONDS - started)) s"
}

# ensure_environment run|all: what the platform needs, or the development tools too. Returns at once where it stands.
ensure_environment() {
    _is_synced "$1" && return
    _lock_environment
    if ! _is_synced "$1"; then
        [ -x "$python" ] && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || _make_venv
        _install_uv
        _sync "$1"
    fi
    _unlock_environment
}
