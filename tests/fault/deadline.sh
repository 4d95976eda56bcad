# label: mpi
# timeout: 60
# A rank that never comes ends the others after LAMINA_DEADLINE with exit code 9 and a sentence that names rank and place.
set -eu
program=$(dirname "$LAMINA")/tests/mpi_comm
code=0
LAMINA_DEADLINE=2 sh "$LAMINA_ROOT/tests/support/mpi.sh" 2 "$program" deadline >out 2>err || code=$?
cat err >&2
[ "$code" -eq 9 ] || { echo "exit code $code, 9 was expected" >&2; exit 1; }
grep -q 'rank 0 on .* stops all ranks: barrier (control) was not answered within 2 s' err
grep -q 'rank 0 was at: barrier of the test' err
# A deadline that is no time is refused before anything starts, once.
code=0
LAMINA_DEADLINE=soon sh "$LAMINA_ROOT/tests/support/mpi.sh" 2 "$program" >out 2>err || code=$?
[ "$code" -eq 10 ] && [ "$(grep -c "LAMINA_DEADLINE is 'soon'" err)" -eq 1 ] || { cat err >&2; echo "exit code $code" >&2; exit 1; }
# A launcher that promised more ranks than MPI joined is refused.
code=0
(unset OMPI_COMM_WORLD_SIZE; PMI_SIZE=4 PMI_RANK=0 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "$program" >out 2>err) || code=$?
[ "$code" -eq 10 ] && grep -q 'started 4 ranks (PMI_SIZE)' err || { cat err >&2; echo "exit code $code" >&2; exit 1; }
