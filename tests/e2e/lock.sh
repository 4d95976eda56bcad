# One process per run folder: a second one is refused, a dead one's lock is taken over, another host's is not.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 100000

"$LAMINA" train tiny.yaml >first.out 2>first.err </dev/null &
process=$!
trap 'kill -9 "$process" 2>/dev/null || true' EXIT
waited=0
until [ -s runs/tiny/metrics.jsonl ]; do
    waited=$((waited + 1))
    [ "$waited" -lt 600 ] || fail "no step after a minute"
    sleep 0.1
done
expect 11 "$LAMINA" train tiny.yaml
says err "process $process on this host" 1
expect 11 ranks 3 "$LAMINA" train tiny.yaml
says err "process $process on this host" 1
expect 11 "$LAMINA" train tiny.yaml --fresh # a working run is not moved away
[ -d runs/tiny ] || fail "the run was moved"

kill -9 "$process"
wait "$process" || true
[ -e runs/tiny/lock ] || fail "kill -9 left no lock: this test shows nothing"
expect 75 "$LAMINA" train tiny.yaml --until 5
says err "took over the lock of process $process, which is gone" 1

printf 'host elsewhere\npid 1\nstarted 5\njob 42\n' >runs/tiny/lock
expect 11 ranks 2 "$LAMINA" train tiny.yaml --until 6
says err 'process 1 on elsewhere (job 42)' 1
says err 'remove' 1
