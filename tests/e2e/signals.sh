# USR1 to the launcher, and TERM or INT without a launcher: a checkpoint, exit code 75, and a last line that says how to go on.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 400

# asked SIGNAL COMMAND...: starts it, sends the signal once steps are done, and checks the end.
asked() {
    signal=$1
    shift
    rm -f runs/tiny/metrics.jsonl
    "$@" >out 2>err </dev/null &
    process=$!
    waited=0
    while [ "$(grep -c '"kind":"step"' runs/tiny/metrics.jsonl 2>/dev/null || true)" -lt "$steps" ] 2>/dev/null || [ ! -f runs/tiny/metrics.jsonl ]; do
        waited=$((waited + 1))
        [ "$waited" -lt 600 ] || fail "no step after a minute"
        sleep 0.1
    done
    kill -s "$signal" "$process"
    got=0
    wait "$process" || got=$?
    same "$got" 75 "exit code after $signal"
    last=$(tail -n 1 out)
    case $last in
    "stopped as asked at step "*"; run the same command to go on") ;;
    *) fail "the last line is: $last" ;;
    esac
    at=${last#stopped as asked at step } at=${at%%;*}
    expect 0 "$LAMINA" verify "tiny@$at"
    [ ! -e runs/tiny/lock ] || fail "the lock stayed"
}

steps=2
# shellcheck disable=SC2086  # words
asked USR1 $launcher 2 "$LAMINA" train tiny.yaml
asked TERM "$LAMINA" train tiny.yaml
asked INT env -- "$LAMINA" train tiny.yaml
