# launch.sh: ranks on this machine, under the launcher of the MPI that Lamina is built with. Sourced by ../run.
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
    9) meaning="a deadline passed: some rank did not answer (log/rank-*.log in the run folder)$(case ${launcher:-} in mpiexec*) echo ", or one was killed" ;; esac)" ;;
    10) meaning="the launch or the environment is not usable" ;;
    11) meaning="the run folder is in use" ;;
    75) meaning="stopped early with a good checkpoint; run the same command to go on" ;;
    134 | 136 | 139) meaning="a rank crashed (signal $(($1 - 128)))" ;;
    137) meaning="a rank was killed (out of memory?), or the launcher ended them all" ;;
    138) meaning="ended as asked, where there was nothing to save; run the same command to go on" ;;
    143) meaning="ended by TERM" ;;
    205 | 255) meaning="the launcher could not start the ranks" ;;
    *) meaning="not a code of Lamina's: see the launcher's manual" ;;
    esac
    say "exit $1: $meaning"
}

# find_launcher COMMAND...: sets $launcher, the words before the number of ranks, as the lamina among COMMAND knows them (its table is in
# common/comm/launcher.c: Open MPI, MPICH), else the one that was built here.
find_launcher() {
    asked=$lamina
    for word; do
        case ${word##*/} in lamina) [ ! -x "$word" ] || { asked=$word && break; } ;; esac
    done
    launcher="mpirun -n"
    [ ! -x "$asked" ] || launcher=$("$asked" info --launcher)
    command -v "${launcher%% *}" >/dev/null || {
        say "there is no ${launcher%% *} in PATH, which starts ranks (of $asked)"
        exit 10
    }
}

# launch N COMMAND...: in a session of its own. A launcher would end the ranks within two seconds of TERM or INT; USR1 it only passes on, and
# they save and return 75. A second signal is not softened. The death of ./run is USR1, too.
launch() {
    ranks=$1
    shift
    find_launcher "$@"
    threads=${OMP_NUM_THREADS:-$(($(cores) / ranks))}
    [ "${threads%%,*}" -ge 1 ] 2>/dev/null || threads=1
    settings=
    # who waits must not hold a core that others need
    [ $((ranks * ${threads%%,*})) -le "$(cores)" ] || settings="OMP_WAIT_POLICY=passive OMPI_MCA_mpi_yield_when_idle=1"
    [ "$(id -u)" -ne 0 ] || settings="$settings OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
    tied_to_us=
    [ -z "$tied" ] || tied_to_us="setpriv --pdeathsig USR1"
    signals=0 child_on_signal=end
    # shellcheck disable=SC2086  # words
    env OMP_NUM_THREADS="$threads" $settings setsid $tied_to_us $launcher "$ranks" "$@" </dev/null &
    child=$!
    trap pass_on INT TERM HUP
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
