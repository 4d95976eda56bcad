# A checkpoint is used at any number of ranks: same text, same loss; with the key/value cache and without.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 40
expect 0 ranks 2 "$LAMINA" train tiny.yaml

for how in '--temperature 0' '--temperature 0.9 --top-k 40 --top-p 0.9 --seed 5'; do
    # shellcheck disable=SC2086  # words
    expect 0 "$LAMINA" generate tiny --prompt 'word1 is' --max-tokens 80 $how
    cp out one
    for n in 2 3; do
        # shellcheck disable=SC2086
        expect 0 ranks $n "$LAMINA" generate tiny --prompt 'word1 is' --max-tokens 80 $how
        cmp one out || fail "other text at $n ranks"
    done
    # shellcheck disable=SC2086
    expect 0 ranks 2 "$LAMINA" generate tiny --prompt 'word1 is' --max-tokens 80 --no-cache $how
    cmp one out || fail "other text without the cache"
done

expect 0 "$LAMINA" generate tiny --max-tokens 20 # from the beginning of a document
expect 0 "$LAMINA" generate tiny --prompt 'word' --temperature 0 --max-tokens 60
cut=$(printf %s "$(cat out)" | cut -c 9-11 | head -n 1)
expect 0 "$LAMINA" generate tiny --prompt 'word' --temperature 0 --max-tokens 60 --stop "$cut"
says out "$cut" 0
printf 'a\033[31mb' >prompt
expect 0 "$LAMINA" generate tiny --prompt "$(cat prompt)" --max-tokens 1
says out 'a\x1b[31mb' 1 # nothing drives the terminal

expect 0 "$LAMINA" eval tiny --json
cp out one
for n in 2 3; do
    expect 0 ranks $n "$LAMINA" eval tiny --json
    cmp one out || fail "other loss at $n ranks"
done
rm t.h5 v.h5 # the checkpoint stands alone
cp -r runs/tiny/ckpt/step-00000040 alone
expect 0 ranks 2 "$LAMINA" generate alone --prompt 'word1 is' --max-tokens 5
expect 0 "$LAMINA" hash --weights alone tiny
same "$(cut -c 1-32 out | sort -u | wc -l)" 1 "digests of a checkpoint and its copy"
expect 0 "$LAMINA" show alone --config
says out 'family: llama'
expect 1 "$LAMINA" diff tiny@36 tiny@40
