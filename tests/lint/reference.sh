#!/bin/sh
# reference.sh LAMINA: configs/REFERENCE.md is what the field and command tables say today.
set -eu
cd "$(dirname "$0")/../.."
now=$(mktemp)
trap 'rm -f "$now"' EXIT
"$1" reference >"$now"
if ! diff -u configs/REFERENCE.md "$now"; then
    echo "configs/REFERENCE.md is not current: ./run build && build/release/lamina reference > configs/REFERENCE.md"
    exit 1
fi
