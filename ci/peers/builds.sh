#!/usr/bin/env bash
# Are the figures of the development build, which `cargo run` uses, those of the release build? Runs both in turn, in
# blocks A B, B A, A B ..., so that what changes on the machine falls on both alike, with `onnx`, `rten` and `null` in
# their workers, and prints the median ratio of the P50s of each, and of their cold starts, as a Markdown table.
#
#   ci/peers/builds.sh [PAIRS]   7 pairs unless said otherwise, some 20 s each
#
# Exit status 1 when the median ratio of the P50s of a model is outside 0.97 to 1.03; `null` is shown and not judged, since
# most of its some 40 us is the system waking one process for the other. A=PROGRAM and B=PROGRAM name other builds to compare,
# for example the program of an earlier commit as A; without them both builds are made.
set -euo pipefail

case ${1:-} in
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    '' | *[0-9]) ;;
    *) echo "unknown argument: $1 (a number of pairs)" >&2; exit 2 ;;
esac
pairs=${1:-7}
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

target=${CARGO_TARGET_DIR:-target}
if [ -z "${A:-}" ]; then
    cargo build --quiet --locked --release
fi
if [ -z "${B:-}" ]; then
    cargo build --quiet --locked
fi
a=${A:-$target/release/tailmark} b=${B:-$target/debug/tailmark}

cat >"$scratch/builds.toml" <<'END'
title = "How long does a short query take?"

[phases]
restarts = 1

[phases.warm_up]
min_requests = 100
max_requests = 100

[phases.steady]
min_requests = 300
max_requests = 300

[[backend]]
kind = "onnx"
options = { execution_provider = "cpu", threads = 1 }

[[backend]]
kind = "rten"
options = { threads = 1 }

[[backend]]
kind = "null"
END

# block NAME PROGRAM: one run; a line for each backend with its P50 and its cold start in nanoseconds.
block() {
    rm -rf "$scratch/runs"
    if ! "$2" scenario "$scratch/builds.toml" --runs "$scratch/runs" >"$scratch/log" 2>&1; then
        cat "$scratch/log" >&2
        return 1
    fi
    python3 - "$1" "$scratch/runs" <<'END'
import json, pathlib, sys
(path,) = pathlib.Path(sys.argv[2]).glob("*/run.json")
for backend in json.loads(path.read_text(encoding="utf-8"))["backends"]:
    (steady,) = (phase for phase in backend["phases"] if phase["phase"] == "steady")
    (p50,) = (one["value_ns"] for one in steady["response_time"]["percentiles"] if one["quantile"] == 0.5)
    print(sys.argv[1], backend["name"], p50, backend["cold_starts"][0]["total_ns"], sep="\t")
END
}

# The first run is not counted: it may have things to fetch.
echo "preparing ..." >&2
block A "$a" >"$scratch/first"
for ((pair = 1; pair <= pairs; pair++)); do
    echo "pair $pair of $pairs ..." >&2
    if ((pair % 2)); then
        block A "$a" && block B "$b"
    else
        block B "$b" && block A "$a"
    fi
done >"$scratch/blocks"

echo "A: $a"
echo "B: $b"
python3 - "$scratch/blocks" <<'END'
import statistics, sys
rows = [line.rstrip("\n").split("\t") for line in open(sys.argv[1], encoding="utf-8")]
names = list(dict.fromkeys(row[1] for row in rows))
print(f"\n{len(rows) // len(names) // 2} pairs, milliseconds; ratios are B to A, the median over the pairs and their range\n")
print("| backend | P50 of A | P50 of B | ratio | cold start of A | of B | ratio |")
print("|---------|---------:|---------:|------:|----------------:|-----:|------:|")
outside = []
for name in names:
    cells = []
    for column in (2, 3):
        of = {build: [int(row[column]) / 1e6 for row in rows if row[:2] == [build, name]] for build in "AB"}
        ratios = sorted(b / a for a, b in zip(of["A"], of["B"]))
        ratio = statistics.median(ratios)
        if column == 2 and name != "null" and not 0.97 <= ratio <= 1.03:
            outside.append(name)
        cells += [f"{statistics.median(of['A']):.3f}", f"{statistics.median(of['B']):.3f}"]
        cells += [f"{ratio:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"]
    print(f"| {name} | {' | '.join(cells)} |")
print(f"\nmodels whose median ratio of P50 is outside 0.97 to 1.03: {', '.join(outside) or 'none'}")
sys.exit(bool(outside))
END
