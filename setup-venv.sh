#!/bin/sh
# Makes .venv and installs what is locked: `sh setup-venv.sh run` what Millrace needs to run,
# `sh setup-venv.sh dev` also what its tests need.  Does nothing when that is done already, so it
# needs the network only the first time.
set -eu
cd "$(dirname "$0")"

wanted=${1:-run}
case $wanted in
run) requirements='requirements.txt' ;;
dev) requirements='requirements-dev.txt' ;;
*)
    echo "usage: sh setup-venv.sh run|dev" >&2
    exit 2
    ;;
esac

fail() {
    echo "millrace: $1" >&2
    exit 1
}

# The venv belongs to this path (its programs name it), these locked versions, and this metadata.
stamp="$(pwd -P) $(cat pyproject.toml "$requirements" | cksum)"
is_installed() {
    [ "$(cat ".venv/installed-$1" 2>/dev/null)" = "$stamp" ] && .venv/bin/python -c '' 2>/dev/null
}
if is_installed "$wanted"; then
    exit 0
fi

is_suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}
version_of() {
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || echo "not working"
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_suitable "$PYTHON" ||
            fail "PYTHON=$PYTHON is $(version_of "$PYTHON"); Millrace needs Python 3.11, 3.12 or 3.13."
        echo "$PYTHON"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if is_suitable "$candidate"; then  # runs it: a shim may be there with nothing behind it
            echo "$candidate"
            return
        fi
    done
    fail "Millrace needs Python 3.11, 3.12 or 3.13; python3 here is $(version_of python3).
Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13),
or name one: make up PYTHON=/path/to/python3.13"
}

make_venv() {
    python=$(find_python)
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        fail "$python has no venv module with pip.
Install it (Debian, Ubuntu: apt install python$minor-venv; Fedora: dnf install python3-pip),
or name another Python: make up PYTHON=/path/to/python3"
    fi
    echo "Making .venv with Python $(version_of "$python")"
    rm -rf .venv
    "$python" -m venv .venv || fail "the folder .venv cannot be made; see above."
}

pip() {
    .venv/bin/python -m pip --disable-pip-version-check -qq --no-input "$@"
}

# a venv of another path or a Python that is gone can't be mended
if [ "$(cat .venv/path 2>/dev/null)" != "$(pwd -P)" ] || ! .venv/bin/python -c '' 2>/dev/null ||
    ! is_suitable .venv/bin/python; then
    make_venv
fi
pwd -P >.venv/path
rm -f .venv/installed-run .venv/installed-dev
echo "Installing $requirements"
pip install --require-hashes -r "$requirements" ||
    fail "the requirements cannot be installed; pip's message is above. Is the network there?"
pip install --no-deps --no-build-isolation --editable . ||
    fail "Millrace itself cannot be installed; pip's message is above."
echo "$stamp" >".venv/installed-$wanted"
if [ "$wanted" = dev ]; then  # has all that running needs
    echo "$(pwd -P) $(cat pyproject.toml requirements.txt | cksum)" >.venv/installed-run
fi
