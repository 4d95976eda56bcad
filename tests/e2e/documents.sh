# Documents that are kept apart: one digest at any number of ranks, killed and resumed; the same loss at any number; planned is measured;
# what was packed is said; another setting is another order.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 12
sed -i 's/^data:/data:\n  documents: separate/; s/context: 32/context: 80/' tiny.yaml # one or two documents to a window

expect 0 "$LAMINA" plan tiny.yaml
says out 'documents  kept apart: ' 1
packed=$(grep '^documents ' out)
expect 0 "$LAMINA" plan tiny.yaml --json
says out '"padding": 0.' 1
expect 0 "$LAMINA" data show t.h5 --context 80
says out "${packed#*apart: }" 1
expect 0 "$LAMINA" plan tiny.yaml data.documents=concat
says out 'kept apart' 0

expect 0 "$LAMINA" train tiny.yaml run.name=whole
whole=$(digest_of out)
says out "$packed" 1
says out DIFFERENT 0
expect 0 "$LAMINA" eval whole --json
cp out one
for n in 2 3; do
    expect 0 ranks $n "$LAMINA" train tiny.yaml run.name=ranks-$n parallel.shard=gradients parallel.window=$n parallel.recompute=true
    same "$(digest_of out)" "$whole" "digest at $n ranks"
    says out DIFFERENT 0
    expect 0 ranks $n "$LAMINA" eval whole --json
    cmp one out || fail "other loss at $n ranks"
done

# killed behind a checkpoint, and gone on with
"$LAMINA" train tiny.yaml run.steps=12 >/dev/null 2>&1 &
pid=$!
tries=0
while [ ! -e runs/tiny/ckpt/step-00000004/manifest.json ] && [ $tries -lt 600 ]; do
    sleep 0.02
    tries=$((tries + 1))
done
kill -9 $pid 2>/dev/null || true
wait $pid 2>/dev/null || true
expect 0 ranks 3 "$LAMINA" train tiny.yaml
same "$(digest_of out)" "$whole" "digest after a kill"

# two sources, each packed by itself
expect 0 "$LAMINA" train tiny.yaml run.name=two-1 'data.train=[{name: a, path: t.h5}, {name: b, path: v.h5, weight: 0.3}]'
says out 'documents of a are kept apart: ' 1
says out 'documents of b are kept apart: ' 1
two=$(digest_of out)
expect 0 ranks 2 "$LAMINA" train tiny.yaml run.name=two-2 'data.train=[{name: a, path: t.h5}, {name: b, path: v.h5, weight: 0.3}]'
same "$(digest_of out)" "$two" "digest of two sources at 2 ranks"

# every token of every document is evaluated, and a short file too
expect 0 "$LAMINA" eval whole --data v.h5 --json
tokens=$("$LAMINA" data show v.h5 --json | sed -n 's/^ "tokens": \([0-9]*\),/\1/p')
says out "\"tokens\":$tokens," 1
printf 'word' >short.txt
"$LAMINA" data build --out short.h5 short.txt >/dev/null
expect 0 "$LAMINA" eval whole --data short.h5 --json
says out '"tokens":5,' 1

# text with a cache and without, at any number of ranks
for prompt in '' 'word1 is'; do
    expect 0 "$LAMINA" generate whole --prompt "$prompt" --max-tokens 90
    cp out one
    expect 0 ranks 2 "$LAMINA" generate whole --prompt "$prompt" --max-tokens 90 --no-cache
    cmp one out || fail "other text without the cache"
done

# what a sample is belongs to the numbers of a run
expect 3 "$LAMINA" train tiny.yaml run.steps=14 data.documents=concat --allow run.steps
says err 'data.documents: separate -> concat' 1
expect 0 "$LAMINA" train tiny.yaml run.steps=14 data.documents=concat --allow run.steps --allow data.documents
says err 'order' # a new one begins
