#!/usr/bin/env bash
# What each kind of backend makes of each shape of embedding model that people deploy. For every shape it makes a small model
# with random weights, has tailmark make a model of the folder, and compares the vectors that the workers give with those of
# SentenceTransformer(folder).encode. Prints a table: the smallest cosine, or why it is refused. The exit status is 1 if a row
# is wrong or not as it should be.
#
#   ci/models.sh                     every shape, which takes most of an hour on two cores
#   ci/models.sh --few               six shapes that stand for most
#   ci/models.sh --only NAME...      these shapes
#   ci/models.sh --list              the shapes; * is one of the six
#   ci/models.sh --keep FOLDER       leaves the folders, logs and run folders there
#   ci/models.sh --json FILE         the table for programs, too
#   ci/models.sh --tailmark PATH     this program, and not one built now
#   ci/models.sh --self-test         only the tests of the table's own rules, which also come before every table
set -euo pipefail

case ${1-} in -h | --help) sed -n '2,15s/^# \{0,1\}//p' "$0"; exit 0 ;; esac

called_from=$PWD
cd "$(dirname "$0")/.."
mkdir -p "${CARGO_TARGET_DIR:-target}/ci/logs"
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
ci=$target/ci
logs=$ci/logs
torch=yes
tools=$ci/python-tools
openvino=$ci/python-openvino
models=$PWD/ci/models
. ci/steps.sh

[ -x "$tools/bin/python" ] || fetch_tools
# Nothing that is imported from there is to be left there.
export PYTHONDONTWRITEBYTECODE=1
(cd "$models" && "$tools/bin/python" -m pytest -q -p no:cacheprovider test_table.py)
[ "${1-}" != --self-test ] || exit 0

program=()
case " $* " in
    *" --tailmark "* | *" --tailmark="* | *" --list "*) ;;
    *)
        cargo build --locked --bin tailmark
        program=(--tailmark "$target/debug/tailmark")
        ;;
esac
cd "$called_from"
exec "$tools/bin/python" "$models" "$@" ${program[@]+"${program[@]}"}
