# Every mistake gives its message once, the same exit code whatever the number of ranks, and ends within two seconds.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 8

now() { echo $(($(date +%s%N) / 1000000)); } # milliseconds

# refused CODE TEXT ARGUMENTS...: train at 1 and at 4 ranks.
refused() {
    code=$1 text=$2
    shift 2
    for n in 1 4; do
        begin=$(now)
        expect 2 ranks $n "$LAMINA" eval nothing # what starting and ending so many ranks costs on this machine now
        middle=$(now)
        expect "$code" ranks $n "$LAMINA" train "$@"
        end=$(now)
        says err "$text" 1
        [ $((end - middle)) -lt $((2000 + 5 * (middle - begin))) ] || fail "took $((end - middle)) ms; a start took $((middle - begin))"
    done
}

refused 3 "there is no such key; did you mean 'width'" tiny.yaml model.widht=8
refused 3 'must divide' tiny.yaml model.heads=5 model.kv_heads=5
refused 3 'missing.yaml: cannot be read' missing.yaml
sed 's/name: rest, match: all/name: rest, match: {role: norm}/' tiny.yaml >rules.yaml
refused 3 'embedding.token.weight' rules.yaml
printf 'run: {name: a\n  bad' >broken.yaml
refused 3 'broken.yaml:1:6: ' broken.yaml
refused 4 'nothing.h5' tiny.yaml data.train.t.path=nothing.h5
cp text.txt notokens.h5
refused 4 'notokens.h5' tiny.yaml data.train.t.path=notokens.h5
expect 10 env LAMINA_ISA=nonsense "$LAMINA" train tiny.yaml
says err 'nonsense'
expect 10 ranks 3 "$LAMINA" train tiny.yaml parallel.group=2
says err 'must divide the number of ranks' 1

expect 3 "$LAMINA" check tiny.yaml 'data.train.t.path=t.h5' optimizer.rules.nosuch.lr=1
sed 's/{name: t, path: t.h5}/{name: t, path: t.h5}, {name: u, path: nothing.h5}/' tiny.yaml >two.yaml
refused 4 'nothing.h5' two.yaml
refused 3 'data.train.u: epochs must be given here too' two.yaml data.train.t.epochs=2

# check and plan need neither MPI nor data
rm t.h5
expect 0 "$LAMINA" check tiny.yaml
expect 3 "$LAMINA" check tiny.yaml batch.micro=3
says err 'batch.micro' 2 # the sentence and the argument it points at
expect 0 "$LAMINA" plan tiny.yaml
says out 'what is read of each source is not shown: t.h5: ' 1
expect 0 "$LAMINA" plan tiny.yaml --ranks 3 --json
says out '"sources": null' 1
expect 10 "$LAMINA" plan tiny.yaml --ranks 3 parallel.group=2
