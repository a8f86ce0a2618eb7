#!/bin/sh
# Installs the host side and checks the codecs, from this folder alone: nothing is fetched.
#
#     sh install.sh                 into the environment of python3
#     sh install.sh /opt/c3d        into a virtual environment there, made where there is none
#
# PYTHON names another interpreter. The exit code is 4 where the host lacks something, and 5 where
# the package is damaged.
set -eu
needs='@NEEDS@'
pythons='@PYTHONS@'
venv=${1:-}
base=${PYTHON:-python3}
case $venv in '' | /*) ;; *) venv=$PWD/$venv ;; esac
case $base in /*) ;; */*) base=$PWD/$base ;; esac
cd "$(dirname -- "$0")"

die() {
    code=$1
    shift
    printf 'install.sh: %s\n' "$*" >&2
    exit "$code"
}

python=$base
[ -z "$venv" ] || [ ! -x "$venv/bin/python" ] || python=$venv/bin/python
version=$("$python" -c 'import sys; assert sys.version_info >= (3, 11)
print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    die 4 "$python is no Python 3.11 or newer; this package needs $needs: name one by PYTHON"
case " $pythons " in
    '  ' | *" $version "*) ;;
    *) die 4 "$python is Python $version; this package needs $needs: name one by PYTHON" ;;
esac
command -v "$base" >/dev/null || die 4 "there is no $base, whose pip installs; name one by PYTHON"
base=$(command -v "$base")
"$base" -m pip --version >/dev/null 2>&1 || die 4 "$base has no pip; install it (python3-pip)"

"$base" - <<'EOF' || die 5 'the package is damaged, see above; get it again'
import hashlib, pathlib, sys

def digest(name):
    try:
        return hashlib.sha256(pathlib.Path(name).read_bytes()).hexdigest()
    except OSError:
        return "missing"

try:
    lines = pathlib.Path("SHA256SUMS").read_text().splitlines()
    wanted = {name: one for one, name in (line.split("  ", 1) for line in lines)}
except (OSError, ValueError):
    sys.exit("SHA256SUMS is missing or damaged")
wrong = [name for name in wanted if digest(name) != wanted[name]]
used = [path.as_posix() for part in ("codecs", "wheels") for path in pathlib.Path(part).iterdir()]
used += ["README.md", "host.txt", "install.sh", "requirements.txt"]
more = [name for name in used if name not in wanted and pathlib.Path(name).exists()]
if wrong or more:
    sys.exit("; ".join(", ".join(n) + w for n, w in ((wrong, " differ"), (more, " unlisted")) if n))
EOF

python=$base
if [ -n "$venv" ]; then
    python=$venv/bin/python
    [ -x "$python" ] || "$base" -m venv --without-pip "$venv" ||
        die 4 "cannot make a virtual environment in $venv"
fi

# Only what is in this folder, each file by its hash. --isolated: the caller's settings of pip have
# no say.
install() {
    "$base" -m pip --isolated --disable-pip-version-check --python "$python" install \
        --quiet --no-index --find-links wheels --no-deps --require-hashes "$@" ||
        die 4 "pip could not install, see above. This package needs $needs. Where the system's own" \
            "Python refuses, name a folder: sh install.sh /opt/c3d"
}

[ ! -s requirements.txt ] || install -r requirements.txt
# Over one of the same version, too.
install --force-reinstall -r host.txt

lacks=$("$python" -c 'import numpy, PIL, click, rich, onnxruntime' 2>&1) ||
    die 4 "the host lacks what c3d-export needs, ${lacks##*: }: install it, or make the package" \
        "--with-deps"

# The one place where the codecs are handed to the host: its store, where it has one (which runs
# the known answers), or else the known answers alone.
c3d_export() { "$python" -m c3d_export "$@"; }
if c3d_export install --help >/dev/null 2>&1; then
    c3d_export install codecs
else
    for codec in codecs/*.c3b; do
        c3d_export doctor --codec "$codec" --json >/dev/null
    done
fi
printf 'installed for %s; codecs in %s\n' "$python" "$PWD/codecs" >&2
