# bench on a tiny shape: numbers that can be true, for every op and every optimizer, as text and as JSON, at one rank and two; nothing stays
# behind.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
needs LAPACKE
mkdir tmp
export TMPDIR="$PWD/tmp"
shape='--peak 100 --layers 2 --micro 2 --context 32 --vocab 300 model.width=64 model.heads=4 model.mlp=128'

# shellcheck disable=SC2086  # words
expect 0 "$LAMINA" bench $shape --optimizers adamw,adamw/bf16,adamw/q8,muon
says out 'peak: fp32 100.0 GFLOP/s' 1
says out "% of fp32 peak" 2
says out 'blocks: attention 192 to 64' 2
says out 'head: head_loss 64 to 300' 2
says out 'optimizer steps of 88320 parameters in fp32 by themselves' 1
says out '  adamw           bf16       4.00 ' 1
says out '  adamw           q8 ' 1
says out '  muon            fp32 ' 1

# shellcheck disable=SC2086
expect 0 ranks 2 "$LAMINA" bench $shape --precision fp32 --optimizers adafactor,lion/q8,sophia,muon,soap,shampoo --json parallel.shard=full
says out '"ranks": 2' 1
says out '"tokens": 128' 1 # two ranks, two sequences each, 32 tokens
says out '"op":' 13        # 1 of the embedding, 10 of a block, 2 of the head
says out '"optimizer":' 7  # 6, and the phase of the step
says out '"matrices_alone": true' 3
says out '"state_bytes_per_parameter": 8.0' 1
says out ' -' 0           # nothing is negative
awk '$1 == "\"seconds\":" || $1 == "\"bytes_per_second\":" || $1 == "\"of_copy\":" { n++; if ($2 + 0 <= 0) exit 1 } END { exit n != 19 }' out ||
    fail 'seconds (of a step, of 6 optimizers) and rates are not all above 0'

# shellcheck disable=SC2086
expect 0 "$LAMINA" bench $shape --steps 0 --precision bf16 --optimizers none
says out 'of fp32 step' 0
says out 'optimizer steps' 0

expect 2 "$LAMINA" bench --precision fp16
says err 'fp32, bf16 or both' 1
expect 2 "$LAMINA" bench --optimizers adamv
says err 'did you mean "adam' 1
expect 2 "$LAMINA" bench --optimizers adamw/int4
says err 'fp32, bf16 or q8, not "int4"' 1
expect 3 "$LAMINA" bench model.heads=7
[ -z "$(find tmp -name 'lamina-*')" ] || fail "left behind: $(ls tmp)"
