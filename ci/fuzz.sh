#!/usr/bin/env bash
# The fuzz targets of harness/tests/fuzz for longer than the tests run them, with seeds that were not tried before.
#
#   ci/fuzz.sh SECONDS           every target, that many seconds in all
#   ci/fuzz.sh SECONDS TARGET    one target, for example scenario; they are the modules that harness/tests/fuzz/main.rs lists
#
# Prints the cases and the rate of each target. A case that fails is made small, kept in a file, and printed with the
# command that repeats it; the exit status is then 1. TAILMARK_FUZZ_SEED=N begins at that seed and not at a new one.
set -euo pipefail

case ${1:-} in
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
if [[ $# -lt 1 || $# -gt 2 || ! $1 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: ci/fuzz.sh SECONDS [TARGET]" >&2
    exit 2
fi
seconds=$1
only=${2:+$2::}

cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
cargo test --quiet --locked -p tailmark --test fuzz --no-run
tests=$(cargo test --quiet --locked -p tailmark --test fuzz -- --list "$only" | grep -c ': test$' || true)
if [ "$tests" -eq 0 ]; then
    echo "no target \`$2\`; harness/tests/fuzz/main.rs lists them" >&2
    exit 2
fi
# One target on each processor at a time, and as much time for each.
threads=$(getconf _NPROCESSORS_ONLN)
[ "$threads" -le "$tests" ] || threads=$tests
each=$((seconds * threads / tests))
[ "$each" -ge 1 ] || each=1
export TAILMARK_FUZZ_SECONDS=$each TAILMARK_FUZZ_SEED=${TAILMARK_FUZZ_SEED:-$(date +%s)}
echo "$tests targets, $each s each, $threads at a time, from seed $TAILMARK_FUZZ_SEED"

# A case that never ends would never be told, so the whole has an end: generous, because making a failing case small takes
# time as well.
status=0
timeout --signal=ABRT $((2 * seconds + 300)) \
    cargo test --quiet --locked -p tailmark --test fuzz --no-fail-fast -- --nocapture --test-threads "$threads" $only \
    || status=$?
if [ "$status" -ne 0 ]; then
    target=$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    echo "a target failed. Where no case is printed above, it ended the process or never ended: the last case of each target" \
        "is in $target/tmp/fuzz-TARGET-last" >&2
    exit 1
fi
