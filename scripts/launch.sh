# launch.sh: ranks on this machine, under the launcher of the MPI that a program is linked with. Sourced by ../run.
# shellcheck shell=sh

# The exit codes of Lamina, and the launcher's own.
explain() {
    case $1 in
    0) return ;;
    1) meaning="they differ (diff), or the launcher was ended by TERM or INT" ;;
    2) meaning="the command line is not usable" ;;
    3) meaning="the configuration is not usable" ;;
    4) meaning="the input data is not usable" ;;
    5) meaning="a checkpoint is damaged" ;;
    6) meaning="no space, or the file system failed" ;;
    7) meaning="training diverged" ;;
    8) meaning="internal contradiction: please report it" ;;
    9) meaning="a deadline passed: some rank did not answer (log/rank-*.log in the run folder)" ;;
    10) meaning="the launch or the environment is not usable" ;;
    11) meaning="the run folder is in use" ;;
    75) meaning="stopped early with a good checkpoint; run the same command to go on" ;;
    134 | 136 | 139) meaning="a rank crashed (signal $(($1 - 128)))" ;;
    137) meaning="a rank was killed (out of memory?), or the launcher ended them all" ;;
    138) meaning="asked to stop before the ranks had begun; run the same command to go on" ;;
    143) meaning="ended by TERM" ;;
    205) meaning="the launcher could not start the ranks" ;;
    *) meaning="not a code of Lamina's: see the launcher's manual" ;;
    esac
    say "exit $1: $meaning"
}

# A launcher is three functions: NAME_is LAUNCHER (its --version says so), NAME_words RANKS (sets $launcher_words, what
# stands before the command: quiet, not bound to cores, more ranks than cores allowed), NAME_settings (sets $launcher_settings, its environment:
# root allowed; with `shared`, who waits does not hold a core). USR1 to any of them reaches every rank.
launchers="openmpi mpich"

openmpi_is() { "$1" --version 2>/dev/null | grep -q 'Open MPI\|OpenRTE'; }
openmpi_words() { launcher_words="-q --bind-to none --oversubscribe -n $1"; }
openmpi_settings() {
    launcher_settings=
    [ "$(id -u)" -ne 0 ] || launcher_settings="OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
    [ "$1" != shared ] || launcher_settings="$launcher_settings OMPI_MCA_mpi_yield_when_idle=1"
}

mpich_is() { "$1" --version 2>/dev/null | grep -q 'HYDRA'; }
mpich_words() { launcher_words="-bind-to none -n $1"; }
mpich_settings() { launcher_settings=; }

# family_of PROGRAM: whose MPI it is linked with; nothing where that cannot be seen (a script, a static program).
family_of() {
    case $(ldd "$1" 2>/dev/null) in
    *libmpich.so* | *libmpi.so.12* | *libmpi_*cray*) echo mpich ;;
    *libmpi.so* | *libopen-rte.so*) echo openmpi ;;
    esac
}

# find_launcher PROGRAM: sets $launcher and $family; the first in PATH that fits the program.
find_launcher() {
    wanted=$(family_of "$(command -v "$1")")
    for launcher in mpirun mpiexec mpirun.openmpi mpiexec.hydra mpirun.mpich; do
        command -v "$launcher" >/dev/null || continue
        for family in $launchers; do
            { [ -n "$wanted" ] && [ "$wanted" != "$family" ]; } || ! "${family}_is" "$launcher" || return 0
        done
    done
    case $wanted in
    '') say "there is no mpirun or mpiexec of Open MPI or MPICH in PATH" ;;
    *) say "$1 is built with $wanted, and there is no mpirun or mpiexec of that in PATH" ;;
    esac
    exit 10
}

# launch N COMMAND...: in a session of its own. A launcher would end the ranks within two seconds of TERM or INT; USR1 it only passes on, and
# they save and return 75. A second signal is not softened. The death of ./run is USR1, too.
launch() {
    ranks=$1
    shift
    find_launcher "$1"
    threads=${OMP_NUM_THREADS:-$(($(cores) / ranks))}
    [ "${threads%%,*}" -ge 1 ] 2>/dev/null || threads=1
    shared='' passive=
    [ $((ranks * ${threads%%,*})) -le "$(cores)" ] || shared=shared passive=OMP_WAIT_POLICY=passive
    "${family}_words" "$ranks"
    "${family}_settings" "$shared"
    tied_to_us=
    [ -z "$tied" ] || tied_to_us="setpriv --pdeathsig USR1"
    signals=0
    trap pass_on INT TERM HUP
    # shellcheck disable=SC2086  # words
    env OMP_NUM_THREADS="$threads" $passive $launcher_settings setsid $tied_to_us "$launcher" $launcher_words "$@" </dev/null &
    child=$!
    code=0
    wait "$child" || code=$?
    waited=0
    while [ "$waited" -lt "$signals" ]; do # a signal of ours ends the wait early: take it up again
        waited=$signals
        again=0
        wait "$child" || again=$?
        [ "$again" -eq 127 ] || code=$again # 127: it had ended before
    done
    child=
    listen
    explain "$code"
    return "$code"
}

pass_on() {
    signals=$((signals + 1))
    if [ "$signals" -eq 1 ]; then
        say "asking the ranks to save and stop (a second signal ends them at once)"
        kill -USR1 "$child" 2>/dev/null || :
    else
        kill -TERM "$child" 2>/dev/null || :
    fi
}
