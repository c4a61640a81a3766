#!/bin/sh
# Stands in for uv in tests. It keeps a record of how it was called; with `fail-install` beside it, installing fails.
here=$(dirname "$0")
echo "uv $*" >> "$here/record"
case "$1 $2" in
    "venv "*)
        for last; do :; done
        mkdir -p "$last/bin"
        echo "$here" > "$last/bin/home"
        ln -s "$here/fake-python" "$last/bin/python"
        ;;
    "pip "*)
        if [ -f "$here/fail-install" ]; then
            echo "error: Failed to fetch: name resolution failed" >&2
            exit 2
        fi
        echo "Installed 3 packages in 5ms"
        ;;
esac
