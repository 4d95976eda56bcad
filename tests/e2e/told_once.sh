# What goes wrong before or while MPI starts is told once, by rank 0, with the same code on every rank: by all ranks, or by one of them.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_config 8
sed 's/steps: 8/steps: fast/' tiny.yaml >bad.yaml

# on RANK COMMAND...: COMMAND on rank RANK, tiny.yaml trained on the others.
on() {
    only=$1
    shift
    ranks 3 sh -c 'only=$1 program=$2 && shift 2
        if [ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = "$only" ]; then exec "$@"; fi
        exec "$program" train tiny.yaml' sh "$only" "$LAMINA" "$@"
}

# once WORDS: and what ended it is told once as well.
once() {
    says err "$1" 1
    says err 'lamina: exit ' 1
}

# All ranks are wrong in the same way, some of them much earlier than rank 0.
for late in '' 'if [ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 0 ]; then sleep 0.5; fi;'; do
    for code in 2:trian:'did you mean "train"?' 2:'train --frehs tiny.yaml':'did you mean --fresh?' 2:train:'an argument is missing' \
        3:'check bad.yaml':'bad.yaml:1:41: ' 3:'train bad.yaml':'bad.yaml:1:41: ' 2:'sweep tiny.yaml --over run.seed=1,2':'give --ranks N' \
        3:'sweep bad.yaml --over run.seed=1,2 --point 1':'bad.yaml:1:41: '; do
        words=${code#*:}
        # shellcheck disable=SC2086  # several words
        expect "${code%%:*}" ranks 4 sh -c "$late"' exec "$@"' sh "$LAMINA" ${words%%:*}
        once "${words#*:}"
    done
done
LAMINA_DEADLINE=soon expect 10 ranks 3 "$LAMINA" train tiny.yaml
once "LAMINA_DEADLINE is 'soon'"

# The launcher of another MPI starts worlds of one rank, which cannot agree on anything.
case $launcher in
mpiexec.*) other='mpirun.openmpi -q --oversubscribe -n' ;;
*) other='mpiexec.mpich -n' ;;
esac
if command -v "${other%% *}" >/dev/null; then
    # shellcheck disable=SC2086  # words
    expect 10 $other 3 "$LAMINA" train tiny.yaml </dev/null
    once 'the launcher started 3 ranks'
    # shellcheck disable=SC2086
    expect 2 $other 3 "$LAMINA" train --frehs tiny.yaml </dev/null
    once 'did you mean --fresh?'
fi

# A command that needs no MPI runs on rank 0 alone.
expect 0 ranks 3 "$LAMINA" check tiny.yaml
says out 'tiny.yaml: ok' 1
expect 0 ranks 3 "$LAMINA" --help
says out 'usage: lamina COMMAND' 1

# One rank alone is wrong: all end, and it is named.
expect 2 on 1 "$LAMINA" train tiny.yaml --frehs
once 'rank 1: no option --frehs here'
expect 10 on 2 env LAMINA_DEADLINE=soon "$LAMINA" train tiny.yaml
once "rank 2: LAMINA_DEADLINE is 'soon'"
expect 3 on 2 "$LAMINA" train elsewhere.yaml
once 'rank 2: elsewhere.yaml: cannot be read: No such file or directory'
expect 3 on 1 "$LAMINA" train bad.yaml
once 'rank 1: bad.yaml:1:41: run.steps: expected an integer'
says err '^' 1
expect 3 on 0 "$LAMINA" train bad.yaml
once 'bad.yaml:1:41: run.steps: expected an integer'
expect 10 on 1 "$LAMINA" train tiny.yaml run.seed=4
once 'configuration is not the same on all ranks'
[ ! -e runs ] || fail 'something was started'

# Names of files and words of the command line cannot drive a terminal.
expect 2 "$LAMINA" "$(printf '\033[31mtrain')"
says err '\x1b[31mtrain' 1
expect 3 "$LAMINA" check "$(printf '\033[31m.yaml')"
says err '\x1b[31m.yaml: cannot be read' 1
[ "$(LC_ALL=C tr -d '\11\12\40-\176\200-\377' <err | wc -c)" -eq 0 ] || fail 'an escape reaches the terminal'
