#!/bin/sh
# lint.sh [ROOT]: the rules of the house that a compiler does not know. Prints one line per finding; exits 1 when there is one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/../..}"
failed=0

sources=$(find common worker coordinator tests -type f \( -name '*.c' -o -name '*.h' \) 2>/dev/null | sort)

# includes, banned calls, threads, collectivity, length
# shellcheck disable=SC2086  # our names have no spaces
awk -f "$here/lint.awk" "$here/map.txt" $sources || failed=1

# every header compiles alone; those private to a folder refuse that themselves, by #error
flags="-std=gnu17 -D_GNU_SOURCE -fsyntax-only -Wall -Wno-unused-function -I."
for module in hdf5-openmpi ompi-c yaml-0.1 jansson; do
    flags="$flags $(pkg-config --cflags "$module" 2>/dev/null || true)"
done
for header in $(printf '%s\n' "$sources" | grep '\.h$'); do
    ! grep -q '^ *# *error' "$header" || continue
    # shellcheck disable=SC2086
    if ! why=$(printf '#include "%s"\nint lint_has_one_declaration;\n' "$header" | ${CC:-cc} $flags -x c - 2>&1); then
        printf '%s:1: does not compile alone: %s\n' "$header" "$(printf '%s\n' "$why" | grep -m 1 error)"
        failed=1
    fi
done

# places that exist on one machine only
paths=$(find . \( -name .git -o -path ./build -o -path ./runs -o -path ./data -o -path ./install -o -path ./tests/lint \) -prune -o -type f \
    \( -name '*.[ch]' -o -name '*.sh' -o -name '*.md' -o -name '*.txt' -o -name '*.cmake' -o -name '*.yaml' -o -name '*.json' -o -name '*.py' -o -name run \) \
    -exec grep -nE '(^|[^A-Za-z0-9_.])/(work|root|home/[a-z]+|Users)/' /dev/null {} + || true)
if [ -n "$paths" ]; then
    printf '%s\n' "$paths" | sed 's/$/   <- a path of one machine/'
    failed=1
fi

# flags that make the program of one machine, or other bits
banned=$(find . \( -name .git -o -path ./build -o -path ./runs -o -path ./data -o -path ./install -o -path ./tests/lint \) -prune -o -type f \
    \( -name '*.[ch]' -o -name '*.sh' -o -name '*.cmake' -o -name CMakeLists.txt -o -name '*.json' -o -name run \) \
    -exec grep -nE -e '-m(arch|tune|cpu)=native|-ffast-math|-Ofast|-funsafe-math-optimizations|-ffp-contract=fast' /dev/null {} + || true)
if [ -n "$banned" ]; then
    printf '%s\n' "$banned" | sed 's/$/   <- not a flag of this house/'
    failed=1
fi

# every row of the table of hostile input names tests that exist
if [ -f common/HOSTILE.md ]; then
    for named in $(sed -n 's/^|.*| *\([^|]*\) *|$/\1/p' common/HOSTILE.md | grep -o '`[a-z0-9_/.]*`' | tr -d '`' | sort -u); do
        [ -e "tests/$named" ] || {
            echo "common/HOSTILE.md: tests/$named, which it names, does not exist"
            failed=1
        }
    done
fi

exit $failed
