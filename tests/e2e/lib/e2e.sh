# Sourced by the scripts here: a tiny model on made-up text, and words to say what is expected. Each script runs in an empty folder with
# $LAMINA (the binary) and $LAMINA_ROOT (the project).
set -eu
. "$LAMINA_ROOT/tests/support/expect.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1 OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
unset LAMINA_FAULT LAMINA_PROGRESS

fail() {
    echo "FAILED: $*" >&2
    [ ! -f out ] || { echo "--- stdout"; cat out; } >&2
    [ ! -f err ] || { echo "--- stderr"; cat err; } >&2
    exit 1
}

# What starts ranks of this binary: the words before their number.
launcher=$("$LAMINA" info --launcher)
# What it returns when a rank was killed -9: MPICH's mpiexec gives the signal's number, others 128 more.
case $launcher in
mpiexec*) killed=9 ;;
*) killed=137 ;;
esac

# ranks N COMMAND...: on as many ranks as asked whatever the machine has.
ranks() {
    n=$1
    shift
    # shellcheck disable=SC2086  # words
    $launcher "$n" "$@" </dev/null
}

# odd_rank N ODD NAME=VALUE COMMAND...: on N ranks, of which ODD has NAME=VALUE in its environment.
odd_rank() {
    n=$1 odd=$2 how=$3
    shift 3
    command=$* # words without spaces
    set --
    r=0
    while [ $r -lt "$n" ]; do
        [ $r -eq 0 ] || set -- "$@" : -n 1
        # shellcheck disable=SC2086
        if [ $r -eq "$odd" ]; then set -- "$@" env "$how" $command; else set -- "$@" $command; fi
        r=$((r + 1))
    done
    # shellcheck disable=SC2086
    $launcher 1 "$@" </dev/null
}

# says FILE TEXT [TIMES]: the text stands on so many lines (default: at least one).
says() {
    count=$(grep -cF -- "$2" "$1" || true)
    if [ $# -gt 2 ]; then
        [ "$count" -eq "$3" ] || fail "\"$2\" stands $count times in $1, not $3"
    else
        [ "$count" -gt 0 ] || fail "\"$2\" does not stand in $1"
    fi
}

digest_of() { sed -n 's/^state digest \([0-9a-f]\{32\}\) at step .*/\1/p' "$1"; }

same() { [ "$1" = "$2" ] || fail "$3: $1 is not $2"; }

# 60 kB of text with structure, the same everywhere; one document per line that begins with a letter. Once as text, once as records, which can be
# cut without PCRE2.
make_data() {
    awk 'BEGIN { s = 7; for (i = 0; i < 1500; i++) { s = (s * 1103 + 12345) % 65536
        printf "word%d is the %s of item %d\n  and %d follows\n", s % 97, (s % 3 ? "name" : "number"), s % 13, (s % 13) + 1 } }' >text.txt
    awk '/^[a-z]/ && NR > 1 { printf "\"}\n" } /^[a-z]/ { printf "{\"text\":\"" } { printf "%s\\n", $0 } END { printf "\"}\n" }' text.txt >text.jsonl
    "$LAMINA" data build --out t.h5 --valid-out v.h5 --valid-share 10% text.jsonl >/dev/null
}

# skip WHY: this script cannot run here.
skip() {
    echo "skipped: $*"
    exit 77
}

# needs NAME...: the script is skipped where a library (as `info` names it) is not built in.
needs() {
    for library; do
        ! "$LAMINA" info | grep -q "^$library  *not built in" || skip "this build has no $library"
    done
}

# make_config STEPS: tiny.yaml. Seven microbatches, so that ranks have uneven work.
make_config() {
    cat >tiny.yaml <<END
run:       {name: tiny, seed: 3, steps: $1}
model:     {family: llama, width: 32, layers: 2, heads: 4, kv_heads: 2, mlp: 64, context: 32}
tokenizer: bytes
data:
  train: [{name: t, path: t.h5}]
  valid: [{name: v, path: v.h5}]
batch:     {sequences: 14, micro: 2}
optimizer:
  schedules: {main: {type: wsd, warmup: 5%, decay: 30%}}
  defaults: {optimizer: adamw, lr: 4e-3, schedule: main}
  rules:
    - {name: head, match: {role: head}, optimizer: adalayer, granularity: row, lr: 4e-3}
    - {name: rest, match: all}
checkpoint: {every: 4, keep: 3}
eval:       {every: 6, batches: 2}
END
}
