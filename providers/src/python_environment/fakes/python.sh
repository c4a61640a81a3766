#!/bin/sh
# Stands in for a Python interpreter in tests. It keeps a record of how it was called, and takes what it answers from
# files beside it: `version`, `lacking`, `no-pip`, `fail-install`, `fail-import`.
here=$(dirname "$0")
me=$here/$(basename "$0")
# The interpreter of an environment keeps its records where the one that made it does.
if [ -f "$here/home" ]; then here=$(cat "$here/home"); fi
line=$(echo "$(basename "$0") $*" | tr '\n' ' ')
# One write, because several may be at it.
echo "$line" >> "$here/record"
case "$1 $2" in
    "-c import "*)
        if [ -f "$here/fail-import" ]; then
            echo "ImportError: libstdc++.so.6: cannot open shared object file" >&2
            exit 1
        fi
        ;;
    "-c "*)
        if [ -f "$here/broken" ]; then echo "cannot be run here" >&2; exit 127; fi
        version=$(cat "$here/version" 2>/dev/null || echo "3, 11, 7")
        lacking=$(cat "$here/lacking" 2>/dev/null)
        echo "a greeting from a start-up file"
        echo "{\"executable\": \"$me\", \"implementation\": \"CPython\", \"version\": [$version]," \
            "\"machine\": \"x86_64\", \"lacking\": [$lacking]}"
        ;;
    "-m venv")
        mkdir -p "$3/bin"
        echo "$here" > "$3/bin/home"
        ln -s "$me" "$3/bin/python"
        ;;
    "-m pip")
        if [ -f "$here/no-pip" ] && [ "$me" = "$here/python3" ]; then echo "No module named pip" >&2; exit 1; fi
        if [ "$3" = "install" ] && [ -f "$here/fail-install" ]; then
            echo "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device" >&2
            exit 1
        fi
        echo "Successfully installed"
        ;;
esac
