# Every configuration that is shipped is usable as it stands; made small, it trains, and to the same bits on 1 and on 3 ranks. The files that they
# name hold a small text here, in a small vocabulary.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
needs PCRE2 LAPACKE
make_data
mkdir data
expect 0 "$LAMINA" tokenizer train --vocab 300 --out data/gcide2048.json --document-start '^[a-z]' text.txt
cp data/gcide2048.json data/mixture.json
for stem in gcide2048 mixture-gcide mixture-docs mixture-code; do
    expect 0 "$LAMINA" data build --tokenizer "data/${stem%%-*}.json" --out data/$stem.train.h5 --valid-out data/$stem.valid.h5 \
        --valid-share 10% --document-start '^[a-z]' text.txt
done

for config in "$LAMINA_ROOT"/configs/*.yaml; do
    name=$(basename "$config" .yaml)
    expect 0 "$LAMINA" check "$config"
    says out ": ok"
    expect 0 "$LAMINA" check "$config" --ranks 5
    expect 0 "$LAMINA" plan "$config" --ranks 2
    for n in 1 3; do
        expect 0 ranks $n "$LAMINA" train "$config" run.name="$name-$n" run.steps=3 optimizer.schedules.main.warmup=1 \
            model.width=48 model.heads=12 model.layers=2 model.mlp=96 model.context=32 batch.sequences=6 batch.micro=2 \
            eval.every=3 eval.batches=1 checkpoint.every=end
        says out "evaluation at step 3"
    done
    expect 0 "$LAMINA" hash "$name-1" "$name-3"
    same "$(cut -c 1-32 out | sort -u | wc -l)" 1 "digests of $name on 1 and 3 ranks"
done
