# The weights to evaluate may be others than those that are trained: running means, and what Schedule-Free means by its weights. The run, `eval`,
# `generate` and `export` take them alike; digests are of what is trained.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 24

loss_of() { sed -n 's/.*loss \([0-9.]*\),.*/\1/p' "$1" | tail -n 1; }

# both NAME OVERRIDE...: trains, and compares what the run saw with what its checkpoint gives.
both() {
    name=$1
    shift
    expect 0 ranks 2 "$LAMINA" train tiny.yaml run.name="$name" "$@"
    seen=$(sed -n 's/^evaluation at step 24 on v: loss \([0-9.]*\),.*/\1/p' out)
    [ -n "$seen" ] || fail "no evaluation at step 24"
    expect 0 "$LAMINA" eval "$name" --batches 2
    same "$(printf '%.4f' "$(loss_of out)")" "$seen" "loss of $name's checkpoint and of the run"
    average=$(loss_of out)
    expect 0 ranks 3 "$LAMINA" eval "$name" --batches 2 --weights average
    same "$(loss_of out)" "$average" "loss of $name at 3 ranks"
    expect 0 "$LAMINA" eval "$name" --batches 2 --weights trained
    [ "$(loss_of out)" != "$average" ] || fail "$name: the trained weights have the same loss"
}
both mean optimizer.defaults.average=0.9 optimizer.rules.head.average=0.9
both free optimizer.defaults.optimizer=schedule-free optimizer.defaults.lr=4e-3

expect 0 "$LAMINA" hash --weights mean
cp out one
expect 0 ranks 2 "$LAMINA" hash --weights mean
cmp one out || fail "other digest of weights at 2 ranks"
expect 0 ranks 2 "$LAMINA" train tiny.yaml run.name=plain # the same training without the mean
expect 0 "$LAMINA" hash --weights plain
same "$(cut -c 1-32 out)" "$(cut -c 1-32 one)" "digest of trained weights with and without a mean"

for weights in average trained; do # the same bytes at any number of ranks, and others for other weights
    expect 0 "$LAMINA" export mean --weights $weights --out $weights.safetensors
    expect 0 ranks 3 "$LAMINA" export mean --weights $weights --out again.safetensors
    cmp $weights.safetensors again.safetensors || fail "other $weights weights exported at 3 ranks"
done
expect 0 "$LAMINA" export plain --out plain.safetensors
cmp plain.safetensors trained.safetensors || fail "the trained weights exported are not those trained without a mean"
! cmp -s average.safetensors trained.safetensors || fail "the mean exported is the trained weights"
expect 2 "$LAMINA" export mean --out x --dtype fp23
expect 6 ranks 2 "$LAMINA" export mean --out no/such/folder/x

expect 0 "$LAMINA" generate mean --prompt word --temperature 0 --max-tokens 40
expect 0 "$LAMINA" generate mean --prompt word --temperature 0 --max-tokens 40 --weights trained
expect 2 "$LAMINA" eval mean --weights avarage
says err '--weights is average or trained, not "avarage"' 1
expect 0 "$LAMINA" show mean
