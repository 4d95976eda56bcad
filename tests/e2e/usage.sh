# What a wrong command line is told, and that help needs nothing.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"

expect 2 "$LAMINA"
expect 2 "$LAMINA" trian x.yaml
says err 'did you mean "train"?' 1
expect 2 "$LAMINA" train x.yaml --frehs
says err 'did you mean --fresh?' 1
expect 2 "$LAMINA" data
says err 'data build' 1
expect 2 "$LAMINA" plan
expect 2 "$LAMINA" show nothing
says err 'no run "nothing"' 1
expect 2 ranks 3 "$LAMINA" train
says err 'an argument is missing' 1 # once, not three times

expect 0 "$LAMINA" --help
for command in check plan train eval generate report sweep show verify hash diff export 'tokenizer train' 'tokenizer encode' 'tokenizer decode' 'tokenizer show' 'data build' 'data show' 'optim list' 'optim show' 'optim try' info bench reference; do
    says out "  $command "
    # shellcheck disable=SC2086  # two words
    expect 0 "$LAMINA" $command --help
    says out "usage: lamina $command"
    expect 0 "$LAMINA" --help
done
