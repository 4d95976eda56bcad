# Killed during a save, one bit flipped in the newest checkpoint, all of them broken: the next train says what it found, and ends in the
# same state as a run to which nothing happened, or touches nothing.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 12

expect 0 "$LAMINA" train tiny.yaml run.name=whole
whole=$(digest_of out)

# the second save (step 8) dies between writing and publishing
got=0
LAMINA_FAULT=save_publish@0:2=kill "$LAMINA" train tiny.yaml >out 2>err || got=$?
same "$got" 137 "exit code of a kill -9"
[ -d runs/tiny/ckpt/step-00000008.tmp ] || fail "no half checkpoint: this test shows nothing"
expect 0 ranks 2 "$LAMINA" train tiny.yaml
says err 'going on from step 4 of 12' 1
same "$(digest_of out)" "$whole" "digest after a kill -9 during a save"
[ ! -e runs/tiny/ckpt/step-00000008.tmp ] || fail "the half checkpoint stayed"

# flip FILE: one bit in the middle
flip() {
    middle=$(($(wc -c <"$1") / 2))
    byte=$(od -An -tu1 -j "$middle" -N 1 "$1" | tr -d ' ')
    # shellcheck disable=SC2059  # the format is the byte
    printf "\\$(printf %03o $((byte ^ 4)))" | dd of="$1" bs=1 seek="$middle" conv=notrunc 2>/dev/null
}
expect 75 "$LAMINA" train tiny.yaml --fresh --until 8
flip runs/tiny/ckpt/step-00000008/state.h5
expect 5 "$LAMINA" verify tiny@8
expect 0 "$LAMINA" verify tiny # the newest that verifies
says out 'step-00000004' 1
expect 0 ranks 3 "$LAMINA" train tiny.yaml
says err 'step-00000008'
says err 'going on from step 4 of 12' 1
same "$(digest_of out)" "$whole" "digest after a flipped bit"

expect 75 "$LAMINA" train tiny.yaml --fresh --until 8
flip runs/tiny/ckpt/step-00000004/state.h5
flip runs/tiny/ckpt/step-00000008/state.h5
find runs/tiny/ckpt -type f -exec cksum {} + | sort >before
expect 5 ranks 2 "$LAMINA" train tiny.yaml
find runs/tiny/ckpt -type f -exec cksum {} + | sort >after
cmp before after || fail "a damaged checkpoint was touched"
