# Two sequences are learned by heart: below 0.05 nats within 300 steps, by AdamW and by the rules of configs/hybrid.yaml, in both families
# and precisions. What cannot do this has a wrong gradient, mask or target somewhere. On one rank: steps this small would measure the launcher.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
needs PCRE2

# 128 bytes and the end of the document: exactly two windows of 64 tokens, in every epoch the same.
awk 'BEGIN { s = 5; for (i = 0; i < 128; i++) { s = (s * 1103 + 12345) % 65536; printf "%c", 97 + int(s / 2521) } }' >text.txt
same "$(wc -c <text.txt | tr -d ' ')" 128 "bytes of the text"
"$LAMINA" data build --out two.h5 --document-start '^NONE' text.txt >/dev/null

cat >heart.yaml <<'END'
run:       {name: heart, seed: 1, steps: 300}
model:     {family: llama, width: 64, layers: 2, heads: 4, kv_heads: 2, mlp: 128, context: 64}
tokenizer: bytes
data:      {train: [{name: two, path: two.h5}]}
batch:     {sequences: 2, micro: 1}
optimizer:
  clip: 1.0
  schedules: {main: {type: wsd, warmup: 5%, decay: 30%}}
  defaults: {optimizer: adamw, lr: 4e-3, betas: [0.9, 0.95], weight_decay: 0, schedule: main}
  rules:
    - {name: hidden, match: {role: ["attn.*", "mlp.*"]}, optimizer: lion, lr: 4e-4}
    - {name: head,   match: {role: head}, optimizer: adalayer, granularity: row, lr: 4e-3}
    - {name: rest,   match: all}
checkpoint: {every: 1000, keep: 1}
END

# last_loss RUN: nats per token at its last step
last_loss() { sed -n 's/.*"kind":"step".*"loss":\([0-9.e+-]*\).*/\1/p' "runs/$1/metrics.jsonl" | tail -n 1; }

by_heart() {
    expect 0 "$LAMINA" train heart.yaml run.name="$@"
    loss=$(last_loss "$1")
    echo "$1: $loss nats after 300 steps"
    awk "BEGIN { exit !(\"$loss\" != \"\" && $loss + 0 < 0.05) }" || fail "$1 ends at $loss nats"
}
by_heart hybrid
by_heart adamw optimizer.rules.hidden.optimizer=adamw optimizer.rules.hidden.lr=4e-3 optimizer.rules.head.optimizer=adamw
by_heart gpt2 model.family=gpt2 model.kv_heads=4
by_heart bf16 precision.compute=bf16
