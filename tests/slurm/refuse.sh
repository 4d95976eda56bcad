# What a launcher got wrong is refused with exit code 10 and one sentence that names the remedy: ranks that do not find each other, worlds that
# differ from what was promised, nodes that compute other bits.
# timeout: 600
. "$LAMINA_ROOT/tests/slurm/lib/cluster.sh"
make_data
make_config 4

# refused TEXT TIMES COMMAND...
refused() {
    text=$1 times=$2
    shift 2
    expect 10 "$@"
    says err "$text" "$times"
    says err 'srun --mpi=pmix' "$times"
    says err 'LAMINA_PMI' "$times"
    [ "$(grep -c 'lamina: exit 10' err)" -eq "$times" ] || fail "told more than once"
    says err 'MPI_ERRORS_ARE_FATAL' 0
    [ ! -e runs ] || fail "something was started"
}

# --- ranks that do not find each other ---
for pmi in none pmi2; do
    refused 'srun started this as one of 3 ranks, but Open MPI' 1 srun --mpi=$pmi --nodes=2 --ntasks=3 "$LAMINA" train tiny.yaml
done
refused 'srun started this as one of 1 ranks' 1 srun --mpi=none --ntasks=1 "$LAMINA" train tiny.yaml
# a library that begins N worlds of one rank, as MPICH does: Open MPI does so where it does not see that it is srun's
refused 'the launcher started 3 ranks (SLURM_STEP_NUM_TASKS), but MPI joined 1 of them' 1 \
    srun --mpi=none --ntasks=3 env -u SLURM_STEP_ID -u SLURM_STEPID OMPI_MCA_ess_singleton_isolated=1 "$LAMINA" train tiny.yaml
# the scripts take it from LAMINA_PMI
export LAMINA_PMI=none
expect 0 sbatch --parsable --ntasks=2 "$cluster/lamina/slurm/train.sbatch" tiny.yaml
unset LAMINA_PMI
job=$(cat out)
ended "$job" FAILED 10
says "slurm-$job.out" 'srun started this as one of 2 ranks' 1
# the process that watches passes on what the other one says, commands without MPI included
expect 2 srun --mpi=none --ntasks=1 "$LAMINA" trian
expect 0 srun --mpi=none --ntasks=1 "$LAMINA" check tiny.yaml

# --- a world smaller than promised, whoever promised ---
refused 'the launcher started 3 ranks (OMPI_COMM_WORLD_SIZE), but MPI joined 2 of them' 1 \
    srun --mpi=pmix --ntasks=2 env OMPI_COMM_WORLD_SIZE=3 "$LAMINA" train tiny.yaml
refused 'the launcher started 3 ranks (PMI_SIZE), but MPI joined 2 of them' 1 \
    srun --mpi=pmix --ntasks=2 env PMI_SIZE=3 "$LAMINA" train tiny.yaml
refused 'the launcher started 3 ranks (SLURM_STEP_NUM_TASKS), but MPI joined 2 of them' 1 \
    srun --mpi=pmix --ntasks=2 env SLURM_STEP_NUM_TASKS=3 "$LAMINA" train tiny.yaml

# --- mpirun inside a job is at home too ---
expect 0 salloc -Q --nodes=2 --ntasks=2 mpirun -q --oversubscribe --bind-to none -n 2 "$LAMINA" train tiny.yaml run.name=mpirun </dev/null

# --- a node that computes other bits; rank 1 is the odd one ---
# other VARIABLE=VALUE ARGUMENTS...: rank 1 has the variable, rank 0 does not
other() {
    variable=$1
    shift
    # shellcheck disable=SC2016  # for the shell of each rank
    srun --mpi=pmix --nodes=2 --ntasks=2 sh -c '[ "$PMIX_RANK" = 0 ] || export "$0"; exec "$@"' "$variable" "$LAMINA" train tiny.yaml "$@"
}
fast=$("$LAMINA" info | grep -c 'avx512' || true)
if [ "$fast" -gt 0 ]; then
    mixed="run.name=mixed model.mlp=1024 precision.compute=bf16"
    for variable in LAMINA_ISA=avx2 DNNL_MAX_CPU_ISA=AVX2; do
        rm -rf runs
        # shellcheck disable=SC2086  # words
        expect 10 other $variable $mixed
        says err 'rank 0 on n1 and rank 1 on n2 compute' 1
        says err 'LAMINA_ISA=' 1
        says err 'lamina: exit 10' 1
    done
    # and the remedy helps
    word=$(sed -n 's/.*set LAMINA_ISA=\([a-z0-9_]*\) for all ranks.*/\1/p' err)
    [ -n "$word" ] || fail "no remedy"
    # shellcheck disable=SC2086
    LAMINA_ISA=$word expect 0 other DNNL_MAX_CPU_ISA=AVX2 $mixed
else
    echo "not tested: nodes that compute other bits, as this processor has no AVX-512 to leave out"
fi
