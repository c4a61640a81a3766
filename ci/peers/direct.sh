#!/usr/bin/env bash
# Is `onnx` in its Rust worker as fast as the script a user would write? Runs both in turn, in blocks A B, B A, A B ...,
# so that what changes on the machine falls on both alike, and prints the P50 of every block and the ratio of every pair
# as a Markdown table. Same model files, same ONNX Runtime library, one thread, the same texts equally often.
#
#   ci/peers/direct.sh [PAIRS]   5 pairs unless said otherwise, some 15 s each
#
# Exit status 1 when the median ratio is above 1.05. PYTHON names an interpreter with onnxruntime, tokenizers and numpy;
# without it the environment that tailmark made for its own workers is used. TAILMARK names a built program, for example
# target/release/tailmark; without it the one that `cargo run` runs is built.
set -euo pipefail

pairs=${1:-5}
limit=1.05
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Whole rounds of the corpus, so that both sides meet every text equally often, whatever their order.
corpus=$PWD/scenarios/corpora/short_queries.txt
texts=$(grep -c '[^[:space:]]' "$corpus")
warm_up=$texts
requests=$((2 * texts))

cat >"$scratch/direct.toml" <<END
title = "How long does a short query take in the Rust worker, without warm-up?"

[workload]
corpus = "$corpus"

[phases]
restarts = 1

[phases.warm_up]
min_requests = $((warm_up - 1))
max_requests = $((warm_up - 1))

[phases.steady]
min_requests = $requests
max_requests = $requests

[[backend]]
name = "onnx-cpu"
kind = "onnx"
options = { execution_provider = "cpu", threads = 1 }
END

tailmark=${TAILMARK:-}
if [ -z "$tailmark" ]; then
    cargo build --quiet --locked
    tailmark=${CARGO_TARGET_DIR:-target}/debug/tailmark
fi

# What a block's record says: its P50 in nanoseconds, the model's folder, the library.
read_record() {
    python3 - "$scratch/runs" <<'END'
import json, pathlib, sys
(path,) = pathlib.Path(sys.argv[1]).glob("*/run.json")
record = json.loads(path.read_text(encoding="utf-8"))
(backend,) = record["backends"]
(steady,) = (phase for phase in backend["phases"] if phase["phase"] == "steady")
(p50,) = (one["value_ns"] for one in steady["response_time"]["percentiles"] if one["quantile"] == 0.5)
print(p50, record["model"]["folder"], backend["options"]["library"], sep="\t")
END
}

run_tailmark() {
    rm -rf "$scratch/runs"
    if ! "$tailmark" scenario "$scratch/direct.toml" --runs "$scratch/runs" >"$scratch/log" 2>&1; then
        cat "$scratch/log" >&2
        return 1
    fi
    read_record
}

# The first run is not counted: it may have things to fetch.
echo "preparing ..." >&2
IFS=$'\t' read -r _ model library < <(run_tailmark)
python=${PYTHON:-${library%/lib/python*}/bin/python}
"$python" -c 'import numpy, onnxruntime, tokenizers' || {
    echo "$python lacks a package of the script; name another interpreter with PYTHON" >&2
    exit 2
}

run_script() {
    "$python" ci/peers/direct.py "$model" "$corpus" "$warm_up" "$requests"
}

for ((pair = 1; pair <= pairs; pair++)); do
    echo "pair $pair of $pairs ..." >&2
    if ((pair % 2)); then
        order="tailmark, script"
        IFS=$'\t' read -r ours _ < <(run_tailmark)
        read -r theirs _ < <(run_script)
    else
        order="script, tailmark"
        read -r theirs _ < <(run_script)
        IFS=$'\t' read -r ours _ < <(run_tailmark)
    fi
    printf '%s\t%s\t%s\t%s\n' "$pair" "$order" "$ours" "$theirs"
done >"$scratch/pairs"

python3 - "$scratch/pairs" "$limit" "$requests" <<'END'
import statistics, sys
rows = [line.rstrip("\n").split("\t") for line in open(sys.argv[1], encoding="utf-8")]
limit, requests = float(sys.argv[2]), sys.argv[3]
ours, theirs = ([int(row[column]) / 1e6 for row in rows] for column in (2, 3))
ratios = [a / b for a, b in zip(ours, theirs)]
print(f"P50 of {requests} short queries a block, one thread, batch 1, milliseconds\n")
print("| pair | order | `onnx` in its worker | Python script | ratio |")
print("|-----:|-------|---------------------:|--------------:|------:|")
for row, a, b, ratio in zip(rows, ours, theirs, ratios):
    print(f"| {row[0]} | {row[1]} | {a:.3f} | {b:.3f} | {ratio:.3f} |")
ratio = statistics.median(ratios)
print(f"| median | | {statistics.median(ours):.3f} | {statistics.median(theirs):.3f} | **{ratio:.3f}** |")
print(f"\nmedian ratio {ratio:.3f}, {'within' if ratio <= limit else 'over'} the limit of {limit}")
sys.exit(ratio > limit)
END
