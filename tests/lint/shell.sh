#!/bin/sh
# shell.sh: every script parses as POSIX sh (by dash where it is), and ./run with all it sources has nothing that shellcheck would say, where that is
# installed.
set -eu
cd "$(dirname "$0")/../.."
shell=sh
! command -v dash >/dev/null || shell=dash
failed=0
for script in run $(find scripts configs tests -name '*.sh' | sort); do
    # shellcheck disable=SC2086
    $shell -n $script || failed=1
done
[ "$failed" -eq 0 ] || exit 1
command -v shellcheck >/dev/null || {
    echo "skipped: there is no shellcheck here"
    exit 77
}
shellcheck -x run
