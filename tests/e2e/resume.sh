# A run that is stopped and gone on with, at other rank counts, ends in the same state as one that was never stopped.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 12

expect 0 "$LAMINA" train tiny.yaml run.name=whole
whole=$(digest_of out)
[ -n "$whole" ] || fail "no digest"
says err 'saved step 8' 1

expect 75 ranks 2 "$LAMINA" train tiny.yaml --until 5
expect 75 ranks 3 "$LAMINA" train tiny.yaml --until 9
says err 'going on from step 5 of 12' 1
expect 0 "$LAMINA" train tiny.yaml
same "$(digest_of out)" "$whole" "digest after two stops at 2, 3 and 1 ranks"
expect 0 "$LAMINA" diff whole tiny
expect 0 ranks 2 "$LAMINA" hash tiny whole
says out "$whole" 2

# each step stands once in metrics.jsonl, though checkpoints were older than the last lines would have been
same "$(grep -c '"kind":"step"' runs/tiny/metrics.jsonl)" 12 "lines of metrics.jsonl"
same "$(ls runs/tiny/ckpt | grep -c '^step-')" 3 "checkpoints that stay"
[ -s runs/tiny/loss.svg ] && [ -s runs/tiny/run.json ] && [ -s runs/tiny/config.yaml ] || fail "a file of the run folder is missing"
[ ! -e runs/tiny/lock ] || fail "the lock stayed"

expect 0 "$LAMINA" train tiny.yaml
says out 'is complete: 12 steps'
# the stored configuration reads back, and means the same run from any folder
mkdir elsewhere
(cd elsewhere && expect 0 "$LAMINA" train ../runs/tiny/config.yaml && says out 'is complete: 12 steps')

# a changed key is refused and listed, accepted by name, or begun anew
expect 3 ranks 2 "$LAMINA" train tiny.yaml run.seed=4
says err 'run.seed: 3 -> 4' 1
expect 3 "$LAMINA" train tiny.yaml run.steps=14 # a decay over a share of the run would change what was done
says err "run.steps"
expect 0 "$LAMINA" train tiny.yaml run.steps=14 --allow run.steps
expect 0 "$LAMINA" train tiny.yaml run.seed=4 --fresh
says err 'the old run was moved to' 1
same "$(ls runs | grep -c '^tiny.old-')" 1 "folders moved aside"
[ "$(digest_of out)" != "$whole" ] || fail "another seed gave the same digest"

# where no schedule depends on it, a run may grow
sed 's/type: wsd, warmup: 5%, decay: 30%/type: constant/' tiny.yaml >constant.yaml
expect 0 "$LAMINA" train constant.yaml run.name=grows run.steps=6
expect 0 "$LAMINA" train constant.yaml run.name=grows run.steps=9
says err 'going on from step 6 of 9' 1

# rules may change on the way, when that is allowed: their tensors keep the weights and begin their state anew, the others' goes on
expect 75 ranks 2 "$LAMINA" train constant.yaml run.name=changed run.steps=9 --until 6
sed 's/optimizer: adalayer, granularity: row, lr: 4e-3/optimizer: lion, lr: 4e-4/' constant.yaml >changed.yaml
expect 3 "$LAMINA" train changed.yaml run.name=changed run.steps=9
says err 'optimizer.rules.head.optimizer: adalayer -> lion' 1
set -- # every key that is listed is allowed
for key in $(sed -n 's/^\(optimizer\.[a-z0-9_.]*\): .* -> .*/\1/p' err); do set -- "$@" --allow "$key"; done
expect 0 ranks 2 "$LAMINA" train changed.yaml run.name=changed run.steps=9 "$@"
says err 'the optimizer state of 1 tensors begins anew, their weights stay' 1
