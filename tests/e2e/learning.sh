# 150 steps on this project's own sources: held-out bits per byte below a stated bound. Measured with three seeds: 3.177, 3.178, 3.177; bytes
# counted in pairs (order 1) predict the same text with 3.67. The text changes with the sources, hence the margin.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
needs PCRE2
BOUND=3.35

(cd "$LAMINA_ROOT" && find common worker coordinator -name '*.[ch]' | LC_ALL=C sort | xargs cat) >text.txt
"$LAMINA" data build --out t.h5 --valid-out v.h5 --valid-share 10% --document-start '^/\*' text.txt >/dev/null

cat >learning.yaml <<'END'
run:       {name: learning, seed: 1, steps: 150}
model:     {family: llama, width: 96, layers: 2, heads: 4, kv_heads: 2, mlp: 256, context: 128}
tokenizer: bytes
data:
  train: [{name: t, path: t.h5}]
  valid: [{name: v, path: v.h5}]
batch:     {sequences: 16, micro: 4}
optimizer:
  clip: 1.0
  schedules: {main: {type: wsd, warmup: 5%, decay: 30%}}
  defaults: {optimizer: adamw, lr: 4e-3, betas: [0.9, 0.95], weight_decay: 0.1, schedule: main}
  rules:
    - {name: gains,  match: {role: [norm, bias]}, weight_decay: 0}
    - {name: head,   match: {role: head}, optimizer: adalayer, granularity: row, lr: 4e-3}
    - {name: hidden, match: {role: ["attn.*", "mlp.*"]}, optimizer: lion, lr: 4e-4}
    - {name: rest,   match: all}
checkpoint: {every: 1000, keep: 1}
eval:       {every: 150, batches: 10}
END
expect 0 ranks 2 "$LAMINA" train learning.yaml
bits=$(sed -n 's/^evaluation at step 150 on v: .* \([0-9.]*\) bits.byte.*/\1/p' out)
expect 0 "$LAMINA" data show v.h5
counted=$(sed -n 's/.* \([0-9.]*\) (order 1) bits per byte.*/\1/p' out)
echo "held-out bits per byte: $bits; order-1 byte counts: $counted; bound: $BOUND"
awk "BEGIN { exit !(\"$bits\" != \"\" && $bits < $BOUND && $bits < $counted) }" || fail "$bits bits per byte; the bound is $BOUND"
