#!/bin/sh
# reference.sh LAMINA [--fix]: configs/REFERENCE.md, the generated part of worker/optim/README.md and slurm/train.sbatch are what the program
# says today.
set -eu
lamina=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/../.."
fix=${2:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# current FILE NOW: the file is the same as the fresh one, or becomes it.
current() {
    cmp -s "$1" "$2" && return
    if [ "$fix" = --fix ]; then
        cat "$2" >"$1"
        echo "$1: written anew"
        return
    fi
    diff -u "$1" "$2" || true
    echo "$1 is not current: ./run build && sh tests/lint/reference.sh build/release/lamina --fix"
    failed=1
}

"$lamina" reference >"$work/reference"
current configs/REFERENCE.md "$work/reference"
"$lamina" slurm >"$work/train.sbatch"
current slurm/train.sbatch "$work/train.sbatch"

# Between the markers stands the table; what is around them stays.
"$lamina" reference --optimizers >"$work/table"
awk -v table="$work/table" '
    /^<!-- generated: end -->$/ { inside = 0; ends++ }
    !inside { print }
    /^<!-- generated: begin -->$/ { inside = 1; begins++; while ((getline line <table) > 0) print line }
    END { exit !(begins == 1 && ends == 1) }' worker/optim/README.md >"$work/readme" || {
    echo 'worker/optim/README.md: the markers "<!-- generated: begin -->" and "<!-- generated: end -->" must stand there once each'
    exit 1
}
current worker/optim/README.md "$work/readme"
exit "$failed"
