# work.sh: how ./run runs other programs, so that none is left behind half-way when it is asked to stop, or dies. Sourced by ../run.
# shellcheck shell=sh

say() { printf 'run: %s\n' "$*" >&2; }

# What is being waited for, and what a signal to ./run does to it: end | ask root to end it | let it finish.
child='' child_on_signal=end

# The shell between ./run and a program: it leads the program's session, and ends all of that on TERM. Its parent's death sends it TERM.
# shellcheck disable=SC2016  # for that shell
supervisor='trap "trap : TERM; kill -TERM 0; wait; exit 143" TERM
    "$@" &
    wait $!'
tied=
! setpriv --pdeathsig TERM true 2>/dev/null || tied="setpriv --pdeathsig TERM"
# Shells start their background jobs with INT and QUIT ignored; those of ours shall have them as everybody else.
willing=
! env --default-signal=INT,QUIT true 2>/dev/null || willing="env --default-signal=INT,QUIT"

# work COMMAND...: runs a program (no function) to its end, and returns its code.
work() {
    child_on_signal=end
    # shellcheck disable=SC2086  # words
    setsid $tied sh -c "$supervisor" supervisor $willing "$@" &
    child=$!
    await
}

await() {
    await_code=0
    wait "$child" || await_code=$?
    child=
    return "$await_code"
}

# interrupted SIGNAL: ends what runs, then ./run as somebody would expect who sent the signal. A second one is not softened.
interrupted() {
    trap '' INT TERM HUP
    if [ -n "$child" ]; then
        case $child_on_signal in
        finish) say "apt is installing: stopping as soon as it is done" ;;
        root) kill -TERM "$child" 2>/dev/null || as_root setsid kill -TERM "$child" 2>/dev/null || : ;;
        *)
            trap 'kill -KILL -- "-$child" 2>/dev/null || :' INT TERM HUP
            kill -TERM "$child" 2>/dev/null || :
            ;;
        esac
        while kill -0 "$child" 2>/dev/null || [ -d "/proc/$child" ]; do wait "$child" || :; done
    fi
    trap - "$1"
    kill -s "$1" $$
}

listen() {
    for signal in INT TERM HUP; do
        # shellcheck disable=SC2064  # this signal
        trap "interrupted $signal" "$signal"
    done
}

# alone NAME: until the end of ./run and of all it started, no other ./run gets past this line; what one left that was killed may take a moment to
# end. Descriptor 8 for `data`, 9 for the others.
alone() {
    command -v flock >/dev/null || return 0
    mkdir -p build
    descriptor=9
    [ "$1" != data ] || descriptor=8
    eval "exec $descriptor>>build/$1.lock"
    flock -n "$descriptor" && return 0
    say "another ./run is at work in this folder (build/$1.lock): waiting for it, at most a minute"
    flock -w 60 "$descriptor" && return 0
    say "the other ./run is still at work: wait for its end, or end it"
    exit 11
}

done_alone() { exec 9>&-; }

# absolute PATH: as the caller of ./run means it, whatever it begins with.
absolute() {
    case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$caller" "$1" ;;
    esac
}
