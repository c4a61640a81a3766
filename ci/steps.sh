# The steps of ci/test.sh: how one is run and timed, and what the longer ones do. Sourced, with the variables ci, logs,
# runs, tools, openvino and torch set.

times=""
current=""

# step NAME COMMAND...: runs it with its output on the screen and in a log, and notes how long it took.
step() {
    current=$1
    shift
    echo
    echo "== $current: $*"
    local began=$SECONDS
    "$@" 2>&1 | tee "$logs/$current.log"
    times+="$(printf '%6d s  %s' $((SECONDS - began)) "$current")"$'\n'
    current=""
}

how_long_it_took() {
    echo
    echo "== how long it took"
    printf '%s' "$times"
    printf '%6d s  in all\n' "$SECONDS"
}

# Called when the script ends before its time, with its status.
failed() {
    how_long_it_took
    echo "FAILED${current:+ in the step $current}, status $1" >&2
}

# What cargo may lack of its own, uv, and an environment with the tools of the Python tests.
fetch_tools() {
    cargo fmt --version || rustup component add rustfmt
    cargo clippy --version || rustup component add clippy
    if ! command -v uv; then
        install_uv
        uv --version
    fi
    uv venv --quiet --allow-existing --python '>=3.11,<3.15' "$tools"
    local requirements=(--requirement python/requirements/dev.txt)
    if [ "$torch" = yes ]; then
        requirements+=(--requirement python/requirements/export.txt)
    fi
    uv pip install --python "$tools/bin/python" --require-hashes "${requirements[@]}"
    if has_openvino; then
        uv venv --quiet --allow-existing --python '>=3.11,<3.15' "$openvino"
        uv pip install --python "$openvino/bin/python" --require-hashes \
            --requirement python/requirements/openvino.txt
    fi
}

# An execution provider that takes a graph in part, for the tests of what says so. Its packages are made for these alone.
has_openvino() {
    [ "$(uname -sm)" = 'Linux x86_64' ]
}

# uv from the package index, into a folder of its own; on a Debian without pip, after its package for environments.
install_uv() {
    if [ -x "$ci/uv/bin/uv" ]; then
        return
    fi
    if python3 -m pip --version; then
        python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$ci/uv" 'uv>=0.13,<0.14'
        return
    fi
    rm -rf "$ci/uv"
    if ! python3 -m venv "$ci/uv"; then
        if ! command -v apt-get || [ "$(id -u)" -ne 0 ]; then
            echo "python3 has neither pip nor venv; install one of them, or uv" >&2
            return 1
        fi
        apt-get update --quiet
        apt-get install --quiet --yes --no-install-recommends python3-venv
        rm -rf "$ci/uv"
        python3 -m venv "$ci/uv"
    fi
    "$ci/uv/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'
}

# tailmark itself installs with uv, too, where it is on the path.
PATH=$PATH:$ci/uv/bin

# run_scenario NAME ARGUMENTS...: the smoke scenario, with its run folder below $runs/NAME.
run_scenario() {
    local name=$1
    shift
    cargo run --locked -- scenario smoke.toml --runs "$runs/$name" "$@"
}

# The Rust tests; nextest does not run those in documentation.
rust_tests() {
    if cargo nextest --version >"$logs/nextest-version.log" 2>&1; then
        cargo nextest run --workspace --locked --no-fail-fast
        cargo test --workspace --locked --doc
    else
        cargo test --workspace --locked --no-fail-fast
    fi
}

# python_tool COMMAND...: a program of the tests' environment, in the Python project.
python_tool() {
    local program=$1
    shift
    (cd python && "$tools/bin/$program" "$@")
}

# The runners' own last words.
closing_lines() {
    grep -hE '^ *Summary \[|^test result:' "$logs/rust-tests.log" || true
    tail -n 1 "$logs/python-tests.log"
}
