# Sourced after e2e.sh: a trained run under good/, and what is expected of files that somebody else wrote.
tools=$(dirname "$LAMINA")/tests
escape=$(printf '\033')

# ends CODE[,CODE] COMMAND...: by itself, within a minute, with one of these codes, and nothing that drives a terminal is printed.
ends() {
    want=$1
    shift
    got=0
    timeout -k 5 60 "$@" >out 2>err </dev/null || got=$?
    case ",$want," in
    *",$got,"*) ;;
    *) fail "exit code $got instead of $want: $*" ;;
    esac
    ! grep -q "$escape" out err || fail "an escape sequence is printed: $*"
}

make_run() {
    make_data
    make_config 8
    expect 0 "$LAMINA" train tiny.yaml
    cp -r runs good
    mv t.h5 good.t.h5
    cp good.t.h5 t.h5
}

# fresh: the run as it was.
fresh() {
    rm -rf runs
    cp -r good runs
}
ckpt=runs/tiny/ckpt/step-00000008

# damaged_states FIRST LAST: by their seeds, every second with a manifest that somebody made anew for it.
damaged_states() {
    refused=0
    for seed in $(seq "$1" "$2"); do
        rm -rf "$ckpt"
        cp -r good/tiny/ckpt/step-00000008 "$ckpt"
        if [ $((seed % 2)) -eq 0 ]; then
            "$tools/damage_h5" "$ckpt/state.h5" "$seed" "$ckpt/manifest.json" || fail "seed $seed: no damage"
        else
            "$tools/damage_h5" "$ckpt/state.h5" "$seed" || fail "seed $seed: no damage"
        fi
        ends 0,5 "$LAMINA" show tiny@8 --tensors
        if [ "$got" -eq 5 ]; then
            refused=$((refused + 1))
            says err "step-00000008"
        fi
        shown=$got
        [ $((seed % 20)) -lt 2 ] || continue
        ends 0,5 "$LAMINA" verify tiny@8
        ends 0,5 "$LAMINA" hash tiny@8
        [ "$got" -eq 0 ] || says err "step-00000008"
        ends 0,5 "$LAMINA" eval tiny@8
        ends 0,5 "$LAMINA" generate tiny@8 --max-tokens 2
        ends 0,1,5 "$LAMINA" diff tiny@4 tiny@8
        # what does not verify is passed over, and stays as it is
        cksum "$ckpt"/* >before
        ends 0,5 "$LAMINA" train tiny.yaml run.steps=8
        if [ "$shown" -eq 5 ] && grep -q 'going on from step 4' err; then
            says err 'checkpoint of step 8 is passed over'
            fresh
        else
            cksum "$ckpt"/* >after
            cmp -s before after || fail "seed $seed: a checkpoint was touched"
        fi
    done
    [ "$refused" -gt 0 ] || fail "no damage was noticed: this test shows nothing"
}

# damaged_tokens FIRST LAST
damaged_tokens() {
    refused=0
    for seed in $(seq "$1" "$2"); do
        cp good.t.h5 t.h5
        "$tools/damage_h5" t.h5 "$seed" || fail "seed $seed: no damage"
        ends 0,4 "$LAMINA" data show t.h5
        if [ "$got" -eq 4 ]; then
            refused=$((refused + 1))
            says err "t.h5"
        fi
        [ $((seed % 20)) -lt 2 ] || continue
        ends 0,4 "$LAMINA" data show t.h5 --verify --context 32
        ends 0,3,4 "$LAMINA" train tiny.yaml run.name=of_damaged run.steps=1 --fresh
        [ "$got" -eq 0 ] || says err "t.h5"
    done
    cp good.t.h5 t.h5
    [ "$refused" -gt 0 ] || fail "no damage was noticed: this test shows nothing"
}

# replace KIND FILE
replace() {
    rm -rf "$2"
    case $1 in
    pipe) mkfifo "$2" ;;
    folder) mkdir "$2" ;;
    device) ln -s /dev/zero "$2" ;;
    nothing) ln -s nowhere "$2" ;;
    hole) truncate -s 64G "$2" ;;
    text) printf 'root:x:0:0\n' >"$2" ;;
    escapes) printf '{"name": "\\u001b[2J", "\033]0;x\007": "\033[31m"}\n\233\n' >"$2" ;;
    esac
}

# other_kinds KINDS: each in place of each file of a run.
other_kinds() {
    for kind in $1; do
        replace "$kind" "$ckpt/state.h5"
        ends 5 "$LAMINA" verify tiny@8
        ends 5 "$LAMINA" show tiny@8
        ends 5 "$LAMINA" diff tiny@8 tiny@4
        ends 0 "$LAMINA" show tiny # the one before
        fresh
        for file in run.json metrics.jsonl events.jsonl config.yaml; do
            replace "$kind" "runs/tiny/$file"
            ends 0 "$LAMINA" report tiny --out page.html
            ! grep -q "$escape" page.html || fail "an escape sequence stands in the page"
            ends 0,5,6 "$LAMINA" train tiny.yaml run.steps=10 --allow run.steps
            [ "$got" -eq 0 ] || says err "$file"
            fresh
        done
        replace "$kind" runs/tiny/lock
        ends 11 "$LAMINA" train tiny.yaml run.steps=10 --allow run.steps
        fresh
        replace "$kind" runs/tiny/ckpt/latest
        ends 0,6 "$LAMINA" train tiny.yaml run.steps=10 --allow run.steps
        [ "$got" -eq 0 ] || says err latest
        ends 0 "$LAMINA" verify tiny
        fresh
    done

    # the run's copy of its tokenizer.json, where the file itself is gone
    expect 0 "$LAMINA" tokenizer train --vocab 300 --out tokenizer.json text.txt
    expect 0 "$LAMINA" data build --tokenizer tokenizer.json --out learned.h5 text.txt
    sed 's|tokenizer: bytes|tokenizer: tokenizer.json|; s|[tv]\.h5|learned.h5|g' tiny.yaml >learned.yaml
    expect 0 "$LAMINA" train learned.yaml run.name=learned run.steps=4
    mv tokenizer.json learned.json
    expect 0 "$LAMINA" generate learned --max-tokens 2
    for kind in $1; do
        replace "$kind" runs/learned/tokenizer.json
        ends 4 "$LAMINA" tokenizer show runs/learned/tokenizer.json
        says err tokenizer.json
        ends 3,4 "$LAMINA" generate learned --max-tokens 2
        says err tokenizer.json
    done
    fresh
}
