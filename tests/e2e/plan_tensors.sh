# `lamina plan --tensors`: the rule, rates, state and exchanges of every tensor; its sums are those of the tables beside it.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_config 100
sed -i 's/^    - {name: rest.*/    - {name: norms, match: {role: norm}, optimizer: adalayer, lr: 1e-3, weight_decay: 0}\
    - {name: factored, match: {role: "attn.*"}, optimizer: adafactor, lr: 2e-2, weight_decay: 0}\
&\
  freeze: [{match: {glob: "blocks.0.attn.*"}, until_step: 50}, {match: {glob: "blocks.1.mlp*"}}]/' tiny.yaml

expect 0 "$LAMINA" plan tiny.yaml --tensors
# tensor, rule, optimizer, shape, rates at start, peak and end, decay, state per parameter, exchanges, bytes
row() { grep "^$1 " out | tr -s ' '; }
same "$(row embedding.token.weight)" 'embedding.token.weight rest adamw 257 x 32 8.00e-04 4.00e-03 1.33e-04 0.01 8 0 0' 'a row of AdamW'
same "$(row head.weight)" 'head.weight head adalayer 257 x 32 8.00e-04 4.00e-03 1.33e-04 0 4.125 0 0' 'a row of Adalayer by row'
same "$(row blocks.1.norm1.weight)" 'blocks.1.norm1.weight norms adalayer 32 2.00e-04 1.00e-03 3.33e-05 0 4.125 1 560' 'a row of Adalayer by tensor'
same "$(row blocks.1.attn.k.weight)" 'blocks.1.attn.k.weight factored adafactor 16 x 32 4.00e-03 2.00e-02 6.67e-04 0 0.375 2 1,632' 'a row of Adafactor'
same "$(row blocks.0.attn.k.weight)" 'blocks.0.attn.k.weight factored adafactor 16 x 32 2.00e-02 2.00e-02 6.67e-04 0 0.375 2 1,632 from step 50 on' 'one that thaws'
same "$(row blocks.1.mlp.in.weight)" 'blocks.1.mlp.in.weight rest adamw 64 x 32 frozen: no rate, state or exchange' 'one that never moves'
says out '21 tensors, 35,040 parameters: '

expect 0 "$LAMINA" plan tiny.yaml --tensors --json --ranks 2
same "$(grep -c '"exchange_bytes_per_step"' out)" 21 'tensors in JSON'
same "$(grep -c '"frozen": true' out)" 3 'frozen tensors in JSON'
same "$(grep -c '"first_step": 50' out)" 4 'tensors that thaw'
# At two ranks each sends half of what is added, twice: the sum over tensors is what the plan sends, and so what a run is measured to send.
sum=$(sed -n 's/^ *"exchange_bytes_per_step": \([0-9]*\).*/\1/p' out | awk '{ s += $1 } END { print s }')
sent=$(sed -n 's/^ *"optimizer": \([0-9][0-9]*\).*/\1/p' out | sort -nu)
same "$sum" "$sent" 'bytes of the tensors and of a rank'
expect 0 "$LAMINA" plan tiny.yaml --json
says out '"tensors": [' 0

# what is made of a rule's rate for one tensor: three units stand above the embedding
expect 0 "$LAMINA" plan tiny.yaml --tensors optimizer.rules.rest.layer_decay=0.5
same "$(row embedding.token.weight)" 'embedding.token.weight rest adamw 257 x 32 1.00e-04 5.00e-04 1.67e-05 0.01 8 0 0' 'a rate by depth'
