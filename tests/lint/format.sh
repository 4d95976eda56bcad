#!/bin/sh
# format.sh [--fix]: every C file is as clang-format leaves it. Exits 77 (skipped) where there is no clang-format.
set -eu
cd "$(dirname "$0")/../.."
format=$(command -v clang-format || command -v clang-format-14 || true)
if [ -z "$format" ]; then
    echo "no clang-format here: the format is not checked"
    exit 77
fi
how='--dry-run -Werror'
[ "${1:-}" = --fix ] && how=-i
# shellcheck disable=SC2086  # two words
find common worker coordinator tests -type f \( -name '*.c' -o -name '*.h' \) -exec "$format" $how {} +
