#!/bin/sh
# mpi.sh N PROGRAM ARGUMENTS: run on N ranks of this machine, also more than it has cores; the exit code is the launcher's. The launcher is the
# one that belongs to $LAMINA, else the first mpirun.
set -eu
ranks=$1
shift
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
export OMP_WAIT_POLICY=passive OMPI_MCA_mpi_yield_when_idle=1 # ranks share cores: who waits must not hold one
if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
launcher="mpirun -n"
[ -z "${LAMINA:-}" ] || launcher=$("$LAMINA" info --launcher)
# shellcheck disable=SC2086  # words
exec $launcher "$ranks" "$@" </dev/null
