# label: full
# timeout: 900
# What the kernel says of a process agrees with the plan: on a model of more than 500 MB and few FLOPs, the peak of resident memory (VmHWM) less
# what was resident when the libraries had started is within max(5 %, 16 MiB) of the plan, at 1 to 4 ranks in each shard mode; and with full
# sharding each rank holds less, the more there are.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data

# 36 M parameters, 20 bytes each (weights, two moments, int64 gradients) where nothing is sharded; one short sequence for each of four ranks.
cat >wide.yaml <<'END'
run:       {name: wide, seed: 1, steps: 2}
model:     {family: llama, width: 768, layers: 4, heads: 12, kv_heads: 12, mlp: 2816, context: 16, tie: false}
tokenizer: bytes
data:      {train: [{name: t, path: t.h5}]}
batch:     {sequences: 4, micro: 1}
precision: {compute: fp32}
optimizer:
  schedules: {main: {type: constant}}
  defaults: {optimizer: adamw, lr: 1e-4, schedule: main}
checkpoint: {every: 1000, keep: 1}
END

bytes_of() { sed -n "s/^  process  *\([0-9,]*\)  *\([0-9,]*\)  *resident.*/\\$1/p" out | tr -d ,; }

for shard in none optimizer gradients full; do
    before=
    for n in 1 2 3 4; do
        expect 0 ranks $n "$LAMINA" train wide.yaml parallel.shard=$shard
        rm -rf runs
        planned=$(bytes_of 1) measured=$(bytes_of 2)
        [ -n "$planned" ] && [ -n "$measured" ] || fail "the run does not end with planned and measured bytes of the process"
        [ $n -gt 1 ] || [ "$planned" -ge 500000000 ] || fail "$planned bytes are too few to see anything"
        allowed=$((planned / 20 > 16777216 ? planned / 20 : 16777216))
        apart=$((measured > planned ? measured - planned : planned - measured))
        echo "$shard, $n ranks: planned $planned, measured $measured, apart by $apart of $allowed"
        [ "$apart" -le "$allowed" ] || fail "$shard at $n ranks: planned $planned, measured $measured"
        if [ "$shard" = full ] && [ -n "$before" ]; then
            [ "$measured" -lt "$before" ] || fail "$n ranks hold as much each as fewer did: $measured after $before"
        fi
        before=$measured
    done
done
