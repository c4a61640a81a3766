#!/usr/bin/env bash
# Are requests started when they are due, and does a load generator by others see the times that tailmark sees? Measures
# tailmark and its peers in turn, round after round, so that what changes on the machine falls on all alike, and prints
# one table: LoadGen (MLPerf's), h2load and hey at the same rates, each against something that answers at once, and
# LoadGen's SingleStream over the backend of tailmark's own Python worker.
#
#   ci/peers/load.sh         3 rounds of 10 s for each line, 7 pairs for the agreement: about 10 minutes
#   ci/peers/load.sh quick   1 round of 2 s and 1 pair: whether all of it works, and little about the bounds
#   ci/peers/load.sh pairs   the agreement alone
#
# The peers are fetched below target/peers and nothing is installed: LoadGen into an environment of its own, h2load, hey
# and nginx from Debian's packages, unless they are on the path. What cannot be had is "not measured", and the
# reason is below the table.
# TAILMARK names a built program; without it the release build is made. PYTHON names the interpreter of the environment
# that tailmark's Python worker uses; without it the one that tailmark made is found. Exit status 0 says that the script
# ran, whatever the table says.
set -euo pipefail

seconds=10 rounds=3 pairs=7
case ${1:-} in
    '') ;;
    quick) seconds=2 rounds=1 pairs=1 ;;
    pairs) rounds=0 ;;
    -h | --help) sed -n '2,17s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "unknown argument: $1 (known: quick, pairs)" >&2; exit 2 ;;
esac
loadgen_version=6.0.17

cd "$(dirname "$0")/../.."
mkdir -p "${CARGO_TARGET_DIR:-target}/ci" "${CARGO_TARGET_DIR:-target}/peers"
ci=$(cd "${CARGO_TARGET_DIR:-target}/ci" && pwd)
peers=$(cd "${CARGO_TARGET_DIR:-target}/peers" && pwd)
logs=$peers/logs
packages=$peers/packages
rm -rf "$logs"
mkdir -p "$logs"
# Not in the usual place: traces and samples of the fast lines are large.
scratch=$(mktemp -d "$peers/scratch.XXXXXX")
results=$scratch/results
nginx="" why_loadgen="" why_packages=""
trap 'kill $nginx 2>/dev/null || true; rm -rf "$scratch"' EXIT

# It fetches uv where there is none.
. ci/steps.sh

# note LINE KIND SOURCE...: reads what a tool wrote into the results.
note() {
    local line=$1 kind=$2
    shift 2
    if [ "$kind" = referee ]; then
        python3 ci/peers/load.py referee "$@" >>"$results"
    else
        python3 ci/peers/load.py "$kind" "$line" "$@" >>"$results"
    fi
}

# peer LINE COMMAND...: a peer that cannot be run is not measured.
peer() {
    local line=$1
    shift
    if ! "$@" >"$logs/$line.log" 2>&1; then
        note "$line" missing "$(tail -n 1 "$logs/$line.log")"
    fi
}

# measure NAME ARGUMENTS...: one of the scenarios beside this script, with its run folder below $scratch/NAME. They hold
# the requests of 10 seconds; those of the agreement are as many always.
measure() {
    local name=$1
    shift
    local scenario=$scratch/$name.toml
    local share=$seconds
    [ "$name" != single_stream ] || share=10
    awk -v share="$share" '/^(min|max)_requests = / { $3 = $3 * share / 10 } { print }' "ci/peers/$name.toml" >"$scenario"
    rm -rf "${scratch:?}/$name"
    if ! "$tailmark" scenario "$scenario" --runs "$scratch/$name" "$@" >"$logs/$name.log" 2>&1; then
        cat "$logs/$name.log" >&2
        return 1
    fi
}

run_tailmark() {
    measure "$1"
    note "$1" tailmark "$scratch/$1"
}

# fetch NAME: runs fetch_NAME. Where it fails, why_NAME says why the peers that need it are not measured. (Nothing within
# stops at a failure by itself, as it is a condition here.)
fetch() {
    echo "fetching $1 ..."
    local why=""
    if ! "fetch_$1" >"$logs/$1.log" 2>&1; then
        why=$(tail -n 1 "$logs/$1.log")
        why=${why:-it could not be fetched}
    fi
    printf -v "why_$1" %s "$why"
}

# LoadGen runs in an environment made from the interpreter of tailmark's own, so that it can share its packages.
fetch_loadgen() {
    { command -v uv || install_uv; } &&
        uv venv --quiet --allow-existing --python "$python" "$peers/loadgen" &&
        uv pip install --quiet --python "$peers/loadgen/bin/python" "mlcommons-loadgen==$loadgen_version" &&
        "$peers/loadgen/bin/python" -c 'import mlperf_loadgen'
}

# Unpacked and not installed: no root is needed, and no nginx starts by itself.
fetch_packages() {
    if command -v h2load && command -v hey && command -v nginx; then
        return
    fi
    if ! command -v apt-get || ! command -v dpkg-deb; then
        echo "h2load, hey or nginx is missing, and there is no apt-get to fetch it"
        return 1
    fi
    local names package
    if ! names=$(what_apt_lacks); then
        [ "$(id -u)" -eq 0 ] && apt-get update --quiet && names=$(what_apt_lacks) || return 1
    fi
    mkdir -p "$packages/files"
    # As root it says that it keeps its rights where another user may not write; that is no failure.
    (cd "$packages" && xargs apt-get download --quiet <<<"$names") || return 1
    for package in "$packages"/*.deb; do
        dpkg-deb --extract "$package" "$packages/files" || return 1
    done
    (fetched h2load --version)
}

what_apt_lacks() {
    local plan
    plan=$(apt-get install --simulate --no-install-recommends hey nghttp2-client nginx) || return 1
    sed -n 's/^Inst \([^ ]*\) .*/\1/p' <<<"$plan"
}

# fetched PROGRAM ARGUMENTS...: a program of the packages, or of this machine.
fetched() {
    local libraries
    libraries=$(echo "$packages"/files/usr/lib/*-linux-gnu*)
    LD_LIBRARY_PATH=$libraries PATH=$PATH:$packages/files/usr/bin:$packages/files/usr/sbin exec "$@"
}

# One process that answers every request at once, on a port for HTTP/1.1 and one for HTTP/2.
start_nginx() {
    mkdir "$scratch/nginx"
    read -r http1 http2 < <(python3 - <<'END'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in sockets))
END
    )
    cat >"$scratch/nginx.conf" <<END
daemon off;
master_process off;
pid nginx.pid;
events {}
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path client;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen 127.0.0.1:$http1;
        listen 127.0.0.1:$http2 http2;
        return 200 "ok";
    }
}
END
    (fetched nginx -e stderr -p "$scratch/nginx" -c "$scratch/nginx.conf") >"$logs/nginx.log" 2>&1 &
    nginx=$!
    local try
    for ((try = 0; try < 50; try++)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$http1") 2>/dev/null; then
            return
        fi
        sleep 0.1
    done
    why_packages="nginx does not answer: $(tail -n 1 "$logs/nginx.log")"
}

run_loadgen() {
    local how=$1 rate=$2 line=loadgen_$1_$2
    [ -z "$why_loadgen" ] || { echo "$why_loadgen"; return 1; }
    rm -rf "$scratch/loadgen"
    mkdir "$scratch/loadgen"
    "$peers/loadgen/bin/python" ci/peers/loadgen_null.py "$how" "$rate" $((rate * seconds)) "$scratch/loadgen" &&
        note "$line" loadgen "$scratch/loadgen"
}

# One connection with as many streams as it likes: the rate of h2load is that of a connection.
run_h2load() {
    [ -z "$why_packages" ] || { echo "$why_packages"; return 1; }
    rm -f "$scratch/h2load"
    (fetched h2load --clients=1 --max-concurrent-streams=100 --rps="$1" --requests=$(($1 * seconds)) \
        --log-file="$scratch/h2load" "http://127.0.0.1:$http2/") && note "h2load_$1" h2load "$scratch/h2load"
}

# A worker for every 100 requests a second: hey's rate is that of a worker, which does nothing while it waits for an
# answer, and so falls behind with fewer.
run_hey() {
    [ -z "$why_packages" ] || { echo "$why_packages"; return 1; }
    (fetched hey -c $(($1 / 100)) -q 100 -n $(($1 * seconds)) -o csv "http://127.0.0.1:$http1/" >"$scratch/hey") &&
        note "hey_$1" hey "$scratch/hey"
}

run_referee() {
    [ -z "$why_loadgen" ] || { echo "$why_loadgen"; return 1; }
    rm -rf "$scratch/loadgen"
    mkdir "$scratch/loadgen"
    # The packages of tailmark's environment, its worker's source, and the worker's own settings.
    PYTHONPATH=$PWD/python/src:$site PYTHONNOUSERSITE=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 \
        "$peers/loadgen/bin/python" ci/peers/loadgen_single_stream.py "$scratch"/reference/single_stream/* \
        scenarios/corpora/short_queries.txt "$scratch/loadgen"
}

# pair NUMBER: both sides, in an order that changes.
pair() {
    if (($1 % 2)); then
        measure single_stream --only python-onnx-cpu && run_referee
    else
        run_referee && measure single_stream --only python-onnx-cpu
    fi && note referee referee "$scratch/single_stream" "$scratch/loadgen"
}

load() {
    python3 -c 'import os; print("%.2f" % os.getloadavg()[0])'
}

{
    tailmark=${TAILMARK:-}
    if [ -z "$tailmark" ]; then
        cargo build --quiet --release --locked
        tailmark=${CARGO_TARGET_DIR:-target}/release/tailmark
    fi
    # Not counted: it may have things to fetch. The referee takes its requests from this run.
    echo "preparing ..."
    measure single_stream --only onnx-cpu --only python-onnx-cpu
    mkdir -p "$scratch/reference"
    mv "$scratch/single_stream" "$scratch/reference"
    library=$(python3 ci/run_folder.py onnxruntime "$scratch/reference/single_stream")
    python=${PYTHON:-${library%/lib/python*}/bin/python}
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

    fetch loadgen
    fetch packages
    [ -n "$why_packages" ] || start_nginx

    jobs=(
        "tailmark lag_1000" "loadgen inline 1000" "loadgen thread 1000" "h2load 1000" "hey 1000"
        "tailmark lag_10000" "loadgen inline 10000" "loadgen thread 10000" "h2load 10000" "hey 10000"
        "tailmark open_50000" "tailmark closed_null"
    )
    load_before=$(load)
    for ((round = 1; round <= rounds; round++)); do
        for ((number = 0; number < ${#jobs[@]}; number++)); do
            # Every other round backwards.
            read -r -a job <<<"${jobs[round % 2 ? number : ${#jobs[@]} - 1 - number]}"
            echo "round $round of $rounds: ${job[*]}"
            case ${job[0]} in
                tailmark) run_tailmark "${job[1]}" ;;
                *) peer "$(IFS=_ && echo "${job[*]}")" "run_${job[0]}" "${job[@]:1}" ;;
            esac
        done
    done
    for ((number = 1; number <= pairs; number++)); do
        echo "pair $number of $pairs"
        peer referee pair "$number"
    done
} >&2

echo "$rounds round(s) of $seconds s; $("$tailmark" --version); loadgen $loadgen_version"
echo "load average before $load_before, after $(load)"
echo
python3 ci/peers/load.py table "$results"
