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
