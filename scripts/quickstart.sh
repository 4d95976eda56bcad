# quickstart.sh: from packages to generated text, in one command. Sourced by ../run.
# shellcheck shell=sh

chapter() { printf '\n=== %s\n\n' "$*"; }

# on N ARGUMENTS: lamina on N ranks; an exit code other than the one in $expect ends ./run, and so does a signal.
on() {
    expected=${expect:-0}
    number=$1
    shift
    printf '\n$ ./run launch %s %s' "$number" "$lamina"
    for word; do
        case $word in *' '*) printf ' "%s"' "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    printf '\n'
    result=0
    launch "$number" "$lamina" "$@" || result=$?
    [ "$signals" -eq 0 ] || [ "$result" -ne 0 ] || result=143
    [ "$result" -eq "$expected" ] && [ "$signals" -eq 0 ] || exit "$result"
}

# missing_mb MB FILE...: MB while one of the files is not there.
missing_mb() {
    mb=$1
    shift
    for file; do [ -e "$file" ] || { echo "$mb" && return; }; done
    echo 0
}

# is_at RUN STEP: has the run a checkpoint of that step?
is_at() { "$lamina" show "$1@$2" >/dev/null 2>&1; }

# copy_before RUN STEP COPY: COPY becomes what RUN was at a step, under its name in one move.
copy_before() {
    rm -rf "runs/$3.part"
    work cp -r "runs/$1" "runs/$3.part"
    rm -f "runs/$3.part/lock"
    for checkpoint in "runs/$3.part/ckpt"/step-*; do
        at=${checkpoint##*/step-}
        case $at in *[!0-9]*) continue ;; esac
        at=$(printf '%s' "$at" | sed 's/^0*//')
        [ "${at:-0}" -le "$2" ] || rm -rf "$checkpoint"
    done
    mv "runs/$3.part" "runs/$3"
}

quickstart() {
    text=
    while [ $# -gt 0 ]; do
        case $1 in
        --text)
            [ -n "${2:-}" ] || wrong "--text needs a file"
            text=$2
            shift 2
            ;;
        --text=?*) text=${1#--text=} && shift ;;
        *) wrong "quickstart takes --text FILE, not '$1'" ;;
        esac
    done
    config=configs/quickstart.yaml name=quickstart data=gcide2048 prompt="Knowledge, n." data_mb=150 what="40 MB of text, a vocabulary learned from it"
    if [ -n "$text" ]; then
        text=$(absolute "$text." && echo .) text=${text%..}
        look_at_text
        name=$text_name data=$text_name prompt="The" data_mb=$((4 * text_mb + 20)) what="your text, a vocabulary learned from it"
    fi
    chapter "quickstart: packages, build (a minute or two), data ($what), 570 training steps
    on 2 ranks, the last 50 of them twice to compare bits, evaluation and text. About 6 minutes of training where two cores reach
    350 GFLOP/s; the plan below measures yours. Nothing is written outside this folder but packages."
    room "$(missing_mb 60 "$lamina")" build "$(missing_mb $data_mb "data/$data.train.h5" "data/$data.valid.h5")" data \
        "$(missing_mb 160 "runs/$name/ckpt/step-00000570" "runs/$name-copy/ckpt/step-00000570")" runs
    # shellcheck disable=SC2086  # a list
    need $build_packages
    chapter "build"
    build release lamina
    chapter "data"
    begin_data
    set --
    if [ -n "$text" ]; then
        text_files
        set -- run.name="$name" tokenizer="data/$data.json" data.train.gcide.path="data/$data.train.h5" data.valid.gcide.path="data/$data.valid.h5" \
            data.train.gcide.name=text data.valid.gcide.name=text
    else
        gcide_files
    fi
    for side in train valid; do "$lamina" data show "data/$data.$side.h5"; done
    chapter "plan"
    "$lamina" plan "$config" --ranks 2 "$@"
    train_and_compare "$@"
    chapter "validation"
    on 2 eval "$name"
    chapter "text"
    on 1 generate "$name" --prompt "$prompt" --max-tokens 300 --temperature 0.7 --seed 1
    chapter "next"
    cat <<END
The loss curve is runs/$name/loss.svg. Three commands to try:

    ./run launch 2 $lamina train configs/adamw.yaml          # the same model with AdamW throughout
    ./run launch 2 $lamina train configs/hybrid.yaml         # an optimizer per layer: half the state
    ./run launch 1 $lamina generate $name --prompt "Ocean" --temperature 0.8 --max-tokens 400
END
}

# train_and_compare [KEY=VALUE...]: the run, its copy that makes the last 50 steps on other ranks, and the digests of both. Each part is left out
# that an earlier ./run has done.
train_and_compare() {
    copy=$name-copy
    chapter "training on 2 ranks, up to step 520"
    if is_at "$name" 570; then
        say "runs/$name is complete; rm -r runs/$name runs/$copy to see it learn again"
    elif ! is_at "$name" 520; then
        expect=75 on 2 train "$config" --until 520 "$@"
    fi
    [ -d "runs/$copy" ] || copy_before "$name" 520 "$copy"
    chapter "the last 50 steps: on 1 rank, and from a copy of the checkpoint on 2 ranks"
    is_at "$name" 570 || on 1 train "$config" "$@"
    is_at "$copy" 570 || on 2 train "$config" "$@" run.name="$copy"
    chapter "the digests of weights, optimizer state and counters: the same bits"
    "$lamina" hash "$name" "$copy"
    "$lamina" diff "$name" "$copy" >/dev/null || { say "they differ: please report it" && exit 8; }
}

# A run on three sources, mixed by weight.
mixture() {
    [ $# -eq 0 ] || wrong "mixture takes no arguments"
    chapter "mixture: a dictionary, Python's documentation and its library's code (57 MB of text in Debian's packages), a vocabulary learned
    from all three, 300 training steps on 2 ranks, and what each source's held-out text costs."
    room "$(missing_mb 60 "$lamina")" build "$(missing_mb 450 data/mixture-code.train.h5 data/mixture-code.valid.h5)" data \
        "$(missing_mb 120 runs/mixture/ckpt/step-00000300)" runs
    # shellcheck disable=SC2086  # a list
    need $build_packages
    chapter "build"
    build release lamina
    chapter "data"
    begin_data
    fetch_gcide
    fetch_python
    # as much of the dictionary as there is of the others together
    current data/mixture.json data/gcide.dict.dz data/python-docs data/python-code ||
        work "$lamina" tokenizer train --vocab 4096 --limit 16MB --out data/mixture.json --text-ending .py \
            data/gcide.dict.dz data/python-docs data/python-code
    token_files mixture-gcide data/mixture.json 1% '^\S' data/gcide.dict.dz
    token_files mixture-docs data/mixture.json 5% '' data/python-docs
    token_files mixture-code data/mixture.json 5% '' --text-ending .py data/python-code
    chapter "plan"
    "$lamina" plan configs/mixture.yaml --ranks 2
    chapter "training on 2 ranks"
    on 2 train configs/mixture.yaml
    chapter "text"
    on 1 generate mixture --prompt "def " --max-tokens 100 --temperature 0.7 --seed 1
}

# Encoding on one core, and beside Hugging Face's library where Python has it.
bench_encoding() {
    begin_data
    gcide_files
    gzip -dc <data/gcide.dict.dz >data/gcide.txt
    work "$lamina" bench --tokenizer data/gcide2048.json --text data/gcide.txt
    folder=data/bench.part
    mkdir -p $folder
    bench_code=0
    here=$PWD
    cd $folder
    work env LAMINA="$here/$lamina" LAMINA_ROOT="$here" TEXT="$here/data/gcide.txt" sh "$here/tests/interop/tokenizers_speed.sh" || bench_code=$?
    cd "$here"
    rm -rf $folder data/gcide.txt
    [ "$bench_code" -eq 0 ] || [ "$bench_code" -eq 77 ]
}
