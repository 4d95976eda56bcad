#!/bin/sh
# study.sh [--again | --collect] [--ranks N] [METHOD...]: trains each method at its rates with seed 1, then its best rate with the other seeds,
# and writes results.jsonl, RESULTS.md and study.svg beside itself. `./run study` prepares program and text, and calls this in the project's
# folder. Several at one time may work at different methods.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
lamina=${LAMINA:-build/release/lamina}
results=$here/results.jsonl
more_seeds="2 3"
ranks=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)
[ "$ranks" -le 4 ] || ranks=4 # microbatches in a step

say() { printf 'study: %s\n' "$*" >&2; }

# ---- a method ----

methods_listed() { awk 'NF && $1 !~ /^#/ { print $1 }' "$here/rates.txt"; }

# Results count for the settings that they were made with: a number that changes with every key, and with no comment.
settings_of() { cat "$here/setting.yaml" "$here/methods/$1.yaml" | sed 's/#.*//; s/[[:space:]]//g' | cksum | cut -d ' ' -f 1; }

# take METHOD: what the functions below work on.
take() {
    method=$1
    rates=$(awk -v method="$method" '$1 == method { $1 = ""; print }' "$here/rates.txt")
    if [ -z "$rates" ] || [ ! -f "$here/methods/$method.yaml" ]; then
        say "$method: no such method; there are" $(methods_listed)
        exit 2
    fi
    settings=$(settings_of "$method")
    folder=runs/study/$method-$settings
    config=$folder/$method.yaml
}

# key RATE SEED: how a line of results.jsonl begins.
key() { printf '{"method":"%s","settings":%s,"rate":%s,"seed":%s,' "$method" "$settings" "$1" "$2"; }

stands() { [ -f "$results" ] && grep -qF "$(key "$1" "$2")" "$results"; }

# The rate with the lowest loss among those of seed 1; nothing when all diverged.
best_rate() {
    for rate in $rates; do
        grep -F "$(key "$rate" 1)" "$results" | tail -n 1 | sed -n "s/.*\"loss\":\([0-9][^,]*\),.*/\1 $rate/p"
    done | sort -g | sed -n '1s/.* //p'
}

# ---- results ----

# field LINE NAME
field() { printf '%s\n' "$1" | sed -n "s/.*\"$2\": *\([^,}]*\)[,}].*/\1/p"; }

# keep RATE SEED: writes the line of a run that has come to its end, unless it is written.
keep() {
    run=$method-lr$1
    [ "$2" -eq 1 ] || run=$run-seed$2
    line=$(grep -F "\"run\":\"$run\"," "$folder/$method-sweep/results.jsonl" | tail -n 1 | grep -E '"status":"(complete|diverged)"') || return 0
    ! stands "$1" "$2" || return 0
    about=$(tr -d '\n' <"$folder/$run/run.json")
    diverged=true
    [ "$(field "$line" status)" = '"diverged"' ] || diverged=false
    printf '%s"steps":%s,"tokens":%s,"loss":%s,"bits_per_byte":%s,"diverged":%s,"state_bytes_per_parameter":%s,"seconds":%s,"isa":%s}\n' \
        "$(key "$1" "$2")" "$(field "$line" step)" "$(field "$line" tokens)" "$(field "$line" valid_loss)" \
        "$(field "$line" valid_bits_per_byte)" "$diverged" "$(field "${about%%\"rules\"*}," state_bytes_per_parameter)" \
        "$(field "$line" seconds)" "$(field "$about" isa)" >>"$results"
}

# What the runs of a method have left, of this sitting or one before.
collect() {
    [ -f "$folder/$method-sweep/results.jsonl" ] || return 0
    for rate in $rates; do
        for seed in 1 $more_seeds; do keep "$rate" "$seed"; done
    done
}

summarize() {
    [ -f "$results" ] || return 0
    # shellcheck disable=SC2086  # a list
    for listed in $(methods_listed); do printf '%s %s\n' "$listed" "$(settings_of "$listed")"; done |
        awk -v svg="$here/study.svg" -v SEEDS="$(echo 1 $more_seeds | wc -w)" -f "$here/summary.awk" \
            - "$here/rates.txt" "$results" >"$here/RESULTS.md.$$"
    mv "$here/RESULTS.md.$$" "$here/RESULTS.md"
}

# ---- running ----

# sweep ARGUMENTS: in a session of its own, so that Ctrl-C reaches it once, from here: it saves and ends with 75.
sweep() {
    mkdir -p "$folder"
    cat "$here/setting.yaml" "$here/methods/$method.yaml" >"$config"
    setsid "$lamina" sweep "$config" "$@" --ranks "$ranks" run.name="$method" run.folder="$folder" </dev/null &
    process=$!
    asked=
    trap 'asked=yes; kill -TERM "$process"' TERM INT
    code=0
    wait "$process" || code=$?
    while kill -0 "$process" 2>/dev/null; do # a signal ended the wait early
        code=0
        wait "$process" || code=$?
    done
    trap - TERM INT
    collect
    summarize
    [ "$code" -ne 0 ] || [ -z "$asked" ] || code=75 # its last run was over just then
    [ "$code" -eq 0 ] || exit "$code"
}

# missing SEED RATE...: those without a result, with commas between; likewise missing_seeds RATE SEED...
missing() {
    seed=$1
    shift
    for rate; do stands "$rate" "$seed" || echo "$rate"; done | paste -s -d , -
}

missing_seeds() {
    rate=$1
    shift
    for seed; do stands "$rate" "$seed" || echo "$seed"; done | paste -s -d , -
}

study() {
    say "$method"
    collect
    # shellcheck disable=SC2086  # lists
    left=$(missing 1 $rates)
    [ -z "$left" ] || sweep --over "optimizer.defaults.lr=$left"
    best=$(best_rate)
    if [ -z "$best" ]; then
        say "$method: diverged at every rate"
        return 0
    fi
    # shellcheck disable=SC2086
    left=$(missing_seeds "$best" $more_seeds)
    [ -z "$left" ] || sweep --over "optimizer.defaults.lr=$best" --over "run.seed=$left"
    say "$method: complete; best rate $best"
}

# The lines of a method in results.jsonl and its runs; what other settings gave stays.
forget() {
    say "$method: beginning anew"
    [ ! -f "$results" ] || { grep -vF "$(printf '{"method":"%s","settings":%s,' "$method" "$settings")" "$results" || true; } >"$results.$$"
    [ ! -f "$results" ] || mv "$results.$$" "$results"
    rm -rf "$folder"
}

action=study
while [ $# -gt 0 ]; do
    case $1 in
    --again | --collect) action=${1#--} ;;
    --ranks)
        ranks=${2:?--ranks: how many?}
        shift
        ;;
    -*)
        say "unknown option '$1'; there are --again, --collect and --ranks N"
        exit 2
        ;;
    *) break ;;
    esac
    shift
done
# shellcheck disable=SC2046  # words
[ $# -gt 0 ] || set -- $(methods_listed)
for name; do take "$name"; done # all names are known before the first is trained
[ "$action" != study ] || [ ! -f "$results" ] || say "runs whose results stand in $results are not run again (--again METHOD)"
for name; do
    take "$name"
    case $action in
    again) forget ;;
    collect) collect ;;
    esac
    [ "$action" = collect ] || study
done
summarize
say "table: $here/RESULTS.md, figure: $here/study.svg"
