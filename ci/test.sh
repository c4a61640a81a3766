#!/usr/bin/env bash
# Everything that must hold, on a machine that has only cargo and python3: formatting, lints, the Rust and Python tests,
# and the smoke scenario for real. What is missing is fetched: uv and the tools of the tests into target/ci, the model and
# the workers' packages into tailmark's own cache folder.
#
#   ci/test.sh             everything, PyTorch included (2.9 GB on Linux)
#   ci/test.sh --no-torch  without PyTorch: the tests that need it are skipped, and its backend is not run
set -euo pipefail

torch=yes
for argument in "$@"; do
    case $argument in
        --no-torch) torch=no ;;
        -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "unknown argument: $argument (known: --no-torch)" >&2; exit 2 ;;
    esac
done

cd "$(dirname "$0")/.."
mkdir -p "${CARGO_TARGET_DIR:-target}/ci"
ci=$(cd "${CARGO_TARGET_DIR:-target}/ci" && pwd)
logs=$ci/logs
runs=$ci/runs
# The environment of the tests' tools: one with PyTorch and one without, so that neither is made over and over.
tools=$ci/python-tools
[ "$torch" = yes ] || tools=$ci/python-tools-without-torch
openvino=$ci/python-openvino
rm -rf "$logs" "$runs"
mkdir -p "$logs" "$runs"

export CARGO_TERM_COLOR=never NO_COLOR=1
unset TAILMARK_TEST_MODEL TAILMARK_TEST_ONNXRUNTIME TAILMARK_TEST_OPENVINO_PYTHON TAILMARK_TEST_EXPORT_PYTHON
unset TAILMARK_TEST_CLIENTS_PYTHON
unset PYTHONPATH VIRTUAL_ENV

. ci/steps.sh

trap 'failed $?' EXIT

workers_before=$(python3 ci/workers.py list)

step tools fetch_tools
step rustfmt cargo fmt --all --check
step clippy cargo clippy --workspace --all-targets --locked -- -D warnings
# The first run fills the model store and makes the workers' environment; its record says where they are.
step first-run run_scenario first --only onnx-cpu --only python-onnx-cpu
TAILMARK_TEST_MODEL=$(python3 ci/run_folder.py model "$runs/first")
TAILMARK_TEST_ONNXRUNTIME=$(python3 ci/run_folder.py onnxruntime "$runs/first")
export TAILMARK_TEST_MODEL TAILMARK_TEST_ONNXRUNTIME TAILMARK_TEST_CLIENTS_PYTHON=$tools/bin/python
if has_openvino; then
    export TAILMARK_TEST_OPENVINO_PYTHON=$openvino/bin/python
fi
if [ "$torch" = yes ]; then
    export TAILMARK_TEST_EXPORT_PYTHON=$tools/bin/python
fi
step rust-tests rust_tests
step ruff python_tool ruff check .
step ruff-format python_tool ruff format --check .
# The scripts outside the package: they print, start programs by name and read files of their own.
others="../ci ../harness/tests/data"
step ruff-scripts python_tool ruff check --config pyproject.toml --extend-ignore T201,S314,S603,S607 $others
step ruff-scripts-format python_tool ruff format --config pyproject.toml --check $others
step mypy python_tool mypy
step python-tests python_tool python -m pytest
step requirements python/requirements/generate.sh --check
if [ "$torch" = yes ]; then
    step models ci/models.sh --few
    step smoke run_scenario smoke --backend python-torch-cpu
    step run-folder python3 ci/run_folder.py check "$runs/smoke" null onnx-cpu onnx-in-process rten-cpu python-onnx-cpu \
        python-torch-cpu
else
    step smoke run_scenario smoke
    step run-folder python3 ci/run_folder.py check "$runs/smoke" null onnx-cpu onnx-in-process rten-cpu python-onnx-cpu
fi
step page ci/page.sh "$runs"/first/*/ "$runs"/smoke/*/
step leftovers python3 ci/workers.py none-but "$workers_before"

trap - EXIT
how_long_it_took
echo
echo "== what the runners said"
closing_lines
if [ "$torch" = no ]; then
    echo "left out (--no-torch): the Python tests that need PyTorch (the export of the graph and the reference vectors" \
        "among them), and the backend python-torch-cpu of the smoke scenario"
fi
echo ok
