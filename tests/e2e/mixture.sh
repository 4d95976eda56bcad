# A run on several sources: exact counts, one digest at any rank count and after any stop, and sources that change on the way.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
needs PCRE2
make_data
make_config 12

# other NAME TEXT LINES: a source of lines, each a document
other() {
    awk -v text="$2" -v n="$3" 'BEGIN { for (i = 0; i < n; i++) printf "%s %d: %d\n", text, i % 89, i % 7 }' >"$1.txt"
    "$LAMINA" data build --out "$1.h5" --document-start '^[a-z]' "$1.txt" >/dev/null
}
other p 'print the number' 900
other q 'and then a much longer line that goes on about nothing at all, up to its end' 300
mix() { # FILE ROWS: tiny.yaml with these training sources
    sed "s|^  train: .*|  train: [$2]|; s|^  valid: .*|  valid: [{name: v, path: v.h5, weight: 3}, {name: p, path: p.h5}]|" tiny.yaml >"$1"
}
t='{name: t, path: t.h5, weight: 5}' p='{name: p, path: p.h5, weight: 3}' q='{name: q, path: q.h5}'
mix three.yaml "$t, $p, $q"

# what is planned, shown, counted and written down is the same: 12 steps of 14 samples, 5 : 3 : 1
row() { sed -n "s/^$2  *\([0-9.]*\) %  *\([0-9.]*\)  *\([0-9,]*\)  *\([0-9,]*\) .*/\1 \2 \3 \4/p" "$1"; }
expect 0 "$LAMINA" plan three.yaml
same "$(row out t)" "55.56 7.78 94 3,008" "planned for t"
same "$(row out p)" "33.33 4.67 56 1,792" "planned for p"
expect 0 "$LAMINA" plan three.yaml --json
says out '"samples": 94' 1
expect 0 "$LAMINA" train three.yaml run.name=whole
same "$(row out q)" "11.11 1.56 18 576
11.11 1.56 18 576" "q in the header, and at the end"
whole=$(digest_of out)
for count in 't 94' 'p 56' 'q 18'; do says runs/whole/events.jsonl "$count samples"; done
says runs/whole/run.json '"file_documents": 900' 1
says out 'evaluation at step 12 on v' 1
says out 'evaluation at step 12 on p' 1
says out 'evaluation at step 12, mean of 2 sources' 1
same "$(grep -c '"kind":"evaluation"' runs/whole/metrics.jsonl)" 4 "evaluations of two sources at two steps"

# loss and bits per byte of each valid source, and their mean by weights 3 and 1
mean=$(sed -n 's/.*"kind":"evaluation","step":12,.*"loss":\([0-9.]*\),.*/\1/p' runs/whole/metrics.jsonl | paste -s -d ' ' |
    awk '{ printf "%.4f", ($1 * 3 + $2) / 4 }')
says out "mean of 2 sources: loss $mean, " 1
expect 0 ranks 2 "$LAMINA" eval whole
same "$(grep -c '^[vp]: loss .* bits/byte over' out)" 2 "sources evaluated"
says out 'mean of 2 sources, by their weights: loss' 1

expect 0 "$LAMINA" report whole --out report.html
for source in v p; do same "$(grep -o "<i>$source, step 12</i>" report.html | wc -l)" 1 "tiles of $source in the report"; done

# epochs instead of weights, and what may not be meant
mix epochs.yaml '{name: t, path: t.h5, epochs: 1}, {name: p, path: p.h5, epochs: 3}'
expect 0 "$LAMINA" plan epochs.yaml run.steps=284
says out 'as often as they say' 0
same "$(sed -n 's/^[tp] .* \([0-9.]*\)  [tp].h5$/\1/p' out | paste -s -d ' ')" '1 3' "epochs that were asked for"
expect 0 "$LAMINA" plan epochs.yaml run.steps=600
says out 'the epochs of data.train take 285 steps and run.steps is 600: each source is read 2.11 times as often' 1
says out 'p is read 6.34 times by step 600' 1
says out 't is read' 0

# stopped, killed and moved between rank counts
expect 75 ranks 2 "$LAMINA" train three.yaml --until 5
LAMINA_FAULT=step_local@1:4=kill expect "$killed" ranks 3 "$LAMINA" train three.yaml 2>/dev/null || true
expect 0 ranks 3 "$LAMINA" train three.yaml
says err 'going on from step 8 of 12' 1
says err 'another order' 0
same "$(digest_of out)" "$whole" "digest after a stop, a kill and at 2 and 3 ranks"
expect 0 "$LAMINA" hash tiny whole
says out "$whole" 2

# a weight, a source or its text changed: refused by name, or a new order, said, in which each source goes on where it stood
expect 75 "$LAMINA" train tiny.yaml run.name=grows --until 5
expect 3 ranks 2 "$LAMINA" train three.yaml run.name=grows
says err 'data.train: t -> t, p, q' 1
expect 75 ranks 2 "$LAMINA" train three.yaml run.name=grows --allow data.train --until 8
says err 'another order of samples begins (number 1): t goes on after 70 samples, p begins, q begins' 1
grown=$(digest_of out)
expect 75 "$LAMINA" train tiny.yaml run.name=again --until 5
expect 75 ranks 3 "$LAMINA" train three.yaml run.name=again --allow data.train --until 6
expect 75 "$LAMINA" train three.yaml run.name=again --until 8 # the order is the run's own now: nothing to allow
says err 'another order' 0
same "$(digest_of out)" "$grown" "digest of a run that grew, with and without a stop"
mix two.yaml "$t, $q"
expect 3 "$LAMINA" train three.yaml run.name=grows data.train.t.weight=6
says err 'data.train.t.weight: 5 -> 6' 1
expect 0 "$LAMINA" train two.yaml run.name=grows --allow data.train
says err 't goes on after 94 samples, q goes on after 4 samples, p is left out' 1
expect 0 "$LAMINA" show grows
says out 'orders         3' 1
says out 'source p                  0.00 %, 14 samples read' 1

expect 75 "$LAMINA" train three.yaml run.name=replaced --until 5
cp p.h5 kept.h5
other p 'print another number' 900
expect 3 ranks 2 "$LAMINA" train three.yaml run.name=replaced
says err 'p.h5 holds other text than when this run read it as the source p' 1
expect 75 "$LAMINA" train three.yaml run.name=replaced --until 6 --allow data.train
says err 't goes on after 39 samples, p begins, q goes on after 8 samples' 1

# ranks that see different files under one path
mkdir elsewhere
cp t.h5 q.h5 v.h5 elsewhere
cp kept.h5 elsewhere/p.h5
here=$PWD
sed "s|path: |path: /proc/self/cwd/|g" three.yaml >apart.yaml
train="$LAMINA train $here/apart.yaml run.folder=$here/runs run.name=apart"
# shellcheck disable=SC2086  # words
expect 10 $launcher 1 $train : -n 1 sh -c "cd '$here/elsewhere' && exec $train"
says err 'the token file of the training source p is not the same on all ranks' 1

# vocabularies of one size that are not the same
for name in t p; do
    text=$name.txt
    [ $name = p ] || text=text.txt
    expect 0 "$LAMINA" tokenizer train --vocab 270 --out $name.json "$text"
    expect 0 "$LAMINA" data build --tokenizer $name.json --out $name.h5 --document-start '^[a-z]' "$text"
done
expect 4 ranks 2 "$LAMINA" train two.yaml run.name=words tokenizer=t.json data.train.q.path=p.h5 data.valid.v.path=t.h5 data.valid.p.path=t.h5
says err 'p.h5: was made with another tokenizer (' 1
expect 0 "$LAMINA" train two.yaml run.name=words run.steps=1 tokenizer=t.json data.train.q.path=t.h5 data.valid.v.path=t.h5 \
    data.valid.p.path=t.h5
