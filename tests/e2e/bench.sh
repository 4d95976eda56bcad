# bench on a tiny shape: numbers that can be true, for every op, as text and as JSON, at one rank and two; nothing stays behind.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
mkdir tmp
export TMPDIR="$PWD/tmp"
shape='--peak 100 --layers 2 --micro 2 --context 32 --vocab 300 model.width=64 model.heads=4 model.mlp=128'

# shellcheck disable=SC2086  # words
expect 0 "$LAMINA" bench $shape
says out 'peak: fp32 100.0 GFLOP/s' 1
says out "% of fp32 peak" 2
says out 'blocks: attention 192 to 64' 2
says out 'head: head_loss 64 to 300' 2

# shellcheck disable=SC2086
expect 0 ranks 2 "$LAMINA" bench $shape --precision fp32 --json parallel.shard=full
says out '"ranks": 2' 1
says out '"tokens": 128' 1 # two ranks, two sequences each, 32 tokens
says out '"op":' 13        # 1 of the embedding, 10 of a block, 2 of the head
says out ' -' 0          # nothing is negative

expect 2 "$LAMINA" bench --precision fp16
says err 'fp32, bf16 or both' 1
expect 3 "$LAMINA" bench model.heads=7
[ -z "$(find tmp -name 'lamina-*')" ] || fail "left behind: $(ls tmp)"
