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
    settle "$name"
}

# compile NAME: resolves NAME.in, which the lock cannot hold beside the rest, at the versions of base.txt where that has
# them, and writes or compares NAME.txt. What is pinned already stays: a release of today does not make it stale.
compile() {
    name=$1
    if [ -f "$here/$name.txt" ]; then
        cp -- "$here/$name.txt" "$scratch/$name.txt"
    fi
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --constraint "$scratch/base.txt" --output-file "$scratch/$name.txt" "$here/$name.in" >/dev/null
    settle "$name"
}

# settle NAME: writes or compares NAME.txt, which lies in the scratch folder.
settle() {
    name=$1
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
compile openvino

if [ "$stale" = 1 ]; then
    echo "requirement files are stale; run $here/generate.sh" >&2
    exit 1
fi
