# What one rule of a hybrid must not do to another, in whole runs (contract/optim_traps has the same by the driver): after one step from the
# same weights, an edited schedule has moved its own tensors alone, an edited clip none of a rule with `clip: none`, and microbatches of
# another size leave the same momentum.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 6
sed -i '/^  schedules:/,/^    - {name: rest/d' tiny.yaml
sed -i 's/^optimizer:/&\
  clip: 1.0\
  schedules: {main: {type: wsd, warmup: 3, decay: 30%}, head: {type: wsd, warmup: 3, decay: 30%}}\
  rules:\
    - {name: head, match: {role: head}, optimizer: sgd, momentum: 0.9, lr: 0.1, schedule: head}\
    - {name: hidden, match: {role: ["attn.*", "mlp.*"]}, optimizer: muon, lr: 0.02, schedule: main, clip: none}\
    - {name: rest, match: all, optimizer: adamw, lr: 4e-3, schedule: main}/' tiny.yaml

# after_one_step NAME KEY=VALUE...
after_one_step() {
    run=$1
    shift
    expect 75 "$LAMINA" train tiny.yaml --until 1 run.name="$run" "$@"
}
after_one_step as_it_was
after_one_step schedule optimizer.schedules.head.warmup=1
after_one_step clip optimizer.clip=1e-2
after_one_step micro batch.micro=7

expect 1 "$LAMINA" diff as_it_was schedule
same "$(cut -d : -f 1 out)" weights/head.weight 'what the schedule of the head reaches'

expect 1 "$LAMINA" diff as_it_was clip
says out weights/head.weight 1
says out state/head.norm.weight.m 1
says out blocks.0.attn 0
says out blocks.1.mlp 0

# Other sizes of products change last bits, where two momenta in a step instead of one would change 5 % of it.
expect 1 "$LAMINA" diff as_it_was micro
awk '/^(weights|state)\/.*by at most/ { n++; if ($NF + 0 > 1e-6) { print "not one step: " $0; bad = 1 } }
    END { exit bad || n < 30 }' out || fail 'microbatches of 2 and of 7 sequences'
