# Sourced by tests/run and examples/demo. Gives them what a fresh Debian or Ubuntu lacks: a Python
# that is new enough, the packages that are missing, and an environment with inosync in it.
# shellcheck shell=bash

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin # sshd lives where only root looks

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# usable_python PROGRAM: print the path of the interpreter behind PROGRAM when it is 3.11 or later;
# of a virtual environment's the one that it was made with.
usable_python() {
    "$1" -c 'if True:
        import os, sys
        sys.version_info >= (3, 11) or sys.exit(1)
        print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))' 2>/dev/null
}

# find_python: print the interpreter to use: $PYTHON, else python3, else a newer one beside it.
find_python() {
    local name
    if [ -n "${PYTHON:-}" ]; then
        usable_python "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or later"
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        usable_python "$name" && return
    done
    fail "needs Python 3.11 or later; name one that is elsewhere: PYTHON=/path/to/python3 $0"
}

# python_version PYTHON: print major.minor.
python_version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

# packages PYTHON COMMAND=PACKAGE...: install the packages whose command is missing, and the one
# that `python -m venv` needs. Only root can; anybody else is told what to do.
packages() {
    local python=$1 pair missing=()
    shift
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        missing+=("python$(python_version "$python")-venv")
    [ "${#missing[@]}" -gt 0 ] || return 0
    command -v apt-get >/dev/null ||
        fail "please install what is missing (Debian's names): ${missing[*]}"
    [ "$(id -u)" = 0 ] ||
        fail "please install what is missing: sudo apt-get install ${missing[*]}"
    printf 'installing %s\n' "${missing[*]}"
    quietly env DEBIAN_FRONTEND=noninteractive apt-get update
    quietly env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${missing[@]}"
}

# quietly COMMAND...: show what the command printed only when it fails.
quietly() {
    local output
    output=$("$@" 2>&1 </dev/null) || fail "$(printf '%s\n%s' "this failed: $*" "$output")"
}

# environment PYTHON [EXTRA]: set $environment to a virtual environment of this Python that holds
# inosync, installed from this very folder, and what its EXTRA names; in share/inosync that is the
# one in which inosync was installed. Made once; brought up to date
# when pyproject.toml, the interpreter or the place of the project changed. Never emptied: somebody
# may be running in it.
environment() {
    local python=$1 extra=${2:-} mark lock
    if [ ! -e "$project/pyproject.toml" ]; then
        environment=$(cd "$project/../.." && pwd)
        return
    fi
    environment=$project/.venv-$(python_version "$python")
    mark=$({ cat "$project/pyproject.toml"; "$python" -VV; printf '%s\n' "$python" "$project"; } |
        sha256sum)
    exec {lock}<"$project/pyproject.toml"
    flock "$lock" # two of us at once would trip over each other
    if [ "$(cat "$environment/.ready-$extra" 2>/dev/null)" != "$mark" ]; then
        printf 'preparing %s\n' "$environment"
        rm -f "$environment"/bin/python* # venv keeps links that lead to another interpreter
        quietly "$python" -m venv "$environment"
        quietly "$environment/bin/python" -m pip install --editable "$project${extra:+[$extra]}"
        echo "$mark" >"$environment/.ready-"
        echo "$mark" >"$environment/.ready-$extra"
    fi
    exec {lock}<&-
}
