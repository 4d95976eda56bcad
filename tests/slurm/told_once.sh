# What is wrong before or while MPI starts is told once under srun as well, by rank 0, and the step ends with its code.
# timeout: 600
. "$LAMINA_ROOT/tests/slurm/lib/cluster.sh"
make_config 4
sed 's/steps: 4/steps: fast/' tiny.yaml >bad.yaml

once() {
    says err "$1" 1
    says err 'lamina: exit ' 1
}

for late in '' 'if [ "$SLURM_PROCID" = 0 ]; then sleep 1; fi; '; do
    for row in 2:trian:'did you mean "train"?' 2:'train --frehs tiny.yaml':'did you mean --fresh?' 3:'check bad.yaml':'bad.yaml:1:41: ' \
        3:'train bad.yaml':'bad.yaml:1:41: '; do
        words=${row#*:}
        # shellcheck disable=SC2086  # several words
        expect "${row%%:*}" srun --mpi=pmix --nodes=2 --ntasks=4 sh -c "$late"'exec "$@"' sh "$LAMINA" ${words%%:*}
        once "${words#*:}"
    done
done

# One rank alone is wrong.
# shellcheck disable=SC2016  # for the shell of each rank
expect 3 srun --mpi=pmix --nodes=2 --ntasks=3 sh -c '[ "$PMIX_RANK" != 2 ] || set -- "$0" train elsewhere.yaml; exec "$@"' \
    "$LAMINA" "$LAMINA" train tiny.yaml
once 'rank 2: elsewhere.yaml: cannot be read'

# Ranks that do not find each other are told what is wrong with their words, not that as well.
expect 2 srun --mpi=none --ntasks=3 "$LAMINA" trian
once 'did you mean "train"?'
expect 3 srun --mpi=none --ntasks=3 "$LAMINA" check bad.yaml
once 'bad.yaml:1:41: '
[ ! -e runs ] || fail 'something was started'
