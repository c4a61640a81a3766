#!/bin/sh
# Writes the requirement files beside this script from pyproject.toml and uv.lock, for people without uv.
# With --check nothing is written: exit status 1 and a diff when a file is stale. Needs uv.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
project=$(dirname -- "$here")
mode=${1:-write}
case $mode in
    write | --check) ;;
    *)
        echo "usage: $0 [--check]" >&2
        exit 2
        ;;
esac

if [ "$mode" = --check ]; then
    uv lock --quiet --check --project "$project" || {
        echo "uv.lock does not fit pyproject.toml; run uv lock in $project" >&2
        exit 1
    }
else
    uv lock --quiet --project "$project"
fi

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
stale=0

# make NAME OPTIONS...: exports NAME.txt and writes or compares it.
make() {
    name=$1
    shift
    uv export --quiet --frozen --project "$project" --no-emit-project --no-header --no-annotate \
        --no-default-groups "$@" --output-file "$scratch/$name.txt" >/dev/null
    if [ "$mode" = write ]; then
        cp -- "$scratch/$name.txt" "$here/$name.txt"
    elif ! diff -u "$here/$name.txt" "$scratch/$name.txt"; then
        stale=1
    fi
}

make base
make torch --extra torch
make export --extra export
make dev --group dev

if [ "$stale" = 1 ]; then
    echo "requirement files are stale; run $here/generate.sh" >&2
    exit 1
fi
