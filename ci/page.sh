#!/usr/bin/env bash
# Opens the HTML reports of run folders in headless Chromium and says what a person would stumble over (see ci/page/check.mjs).
#
#   ci/page.sh RUN_FOLDER...
#
# Needs chromium, node and npm. What is missing is installed where apt-get can be used; elsewhere it says so and ends with status 0.
set -euo pipefail

case ${1-} in '' | -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac

page=$(cd "$(dirname "$0")" && pwd)/page
target=${CARGO_TARGET_DIR:-$page/../../target}
mkdir -p "$target/ci/page"
tools=$(cd "$target/ci/page" && pwd)

find_chromium() {
    command -v chromium || command -v chromium-browser || command -v google-chrome || true
}

if [ -z "$(find_chromium)" ] || ! command -v npm >/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
        apt-get update --quiet >"$tools/apt.log" 2>&1 || true
        wanted=(chromium)
        command -v npm >/dev/null || wanted+=(nodejs npm)
        apt-get install --quiet --yes --no-install-recommends "${wanted[@]}" >>"$tools/apt.log" 2>&1 || true
    fi
fi
if [ -z "$(find_chromium)" ] || ! command -v npm >/dev/null; then
    echo "not checked: the HTML reports need chromium and npm, and they cannot be installed here"
    exit 0
fi
cp "$page/package.json" "$page/package-lock.json" "$page/check.mjs" "$tools/"
if ! (cd "$tools" && npm ci --no-audit --no-fund --loglevel=error); then
    echo "not checked: the packages of the check cannot be had here"
    exit 0
fi
node "$tools/check.mjs" "$(find_chromium)" "$@"
