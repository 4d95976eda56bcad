# Sourced by sweep.sh and sweep_short.sh: a run of 3 ranks that stands at step 3 of 6, and what must hold after a fault in it. The points and
# their exit codes are read from the headers, so a new point is swept because it exists.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
BOUND=20 # seconds until a run of a few steps has ended on all ranks, whatever happened in it
export LAMINA_DEADLINE=4

# Those of `data build` no training passes: tests/e2e/data_build.sh has them.
points() { sed -n 's/^ *X(\([a-z_]*\), ST_[A-Z]*).*/\1/p' "$LAMINA_ROOT/common/base/fault.h" | grep -v '^build_'; }

# code_of POINT: its status in fault.h, whose exit code stands in status.h
code_of() {
    status=$(sed -n "s/^ *X($1, \(ST_[A-Z]*\)).*/\1/p" "$LAMINA_ROOT/common/base/fault.h")
    sed -n "s/^ *X($status, *\([0-9]*\),.*/\1/p" "$LAMINA_ROOT/common/base/status.h"
}

# visitors POINT: the ranks that pass there. Space is reserved and a folder renamed by rank 0 alone.
visitors() {
    case $1 in
    save_reserve | save_publish) echo 0 ;;
    *) echo 0 1 2 ;;
    esac
}

start_sweep() {
    [ "$(points | wc -l)" -ge 10 ] || fail "the points were not found in fault.h"
    make_data
    make_config 6
    expect 75 ranks 3 "$LAMINA" train tiny.yaml --until 3
    cp -r runs/tiny start
    expect 0 "$LAMINA" train tiny.yaml run.name=whole
    whole=$(digest_of out)
    [ -n "$whole" ] || fail "no digest"
}

# disturb CODE FAULT: the run goes on from step 3 with a fault armed, and must end with the code within the bound, without a lock that
# nobody holds being in the way of what follows.
disturb() {
    rm -rf runs/tiny
    cp -r start runs/tiny
    begin=$(date +%s)
    LAMINA_FAULT=$2 expect "$1" ranks 3 "$LAMINA" train tiny.yaml
    took=$(($(date +%s) - begin))
    [ "$took" -le "$BOUND" ] || fail "$2 took $took s"
}

# goes_on FAULT: nothing of it is left in the numbers.
goes_on() {
    expect 0 "$LAMINA" train tiny.yaml
    expect 0 "$LAMINA" hash tiny
    same "$(cut -c 1-32 out)" "$whole" "digest after $1"
}

# fails POINT RANK: told once, by its rank (who is not named is rank 0, which speaks for all), with the documented code on all ranks.
fails() {
    code=$(code_of "$1")
    [ -n "$code" ] || fail "no exit code is documented for the status of $1"
    disturb "$code" "$1@$2=fail"
    says err "fault '$1' was asked for by LAMINA_FAULT" 1
    [ "$2" -eq 0 ] || says err "rank $2: fault '$1'" 1
    says err "lamina: exit $code: " 1
    goes_on "$1@$2=fail"
}

# dies POINT RANK: kill -9 there; the launcher ends the others.
dies() {
    disturb "$killed" "$1@$2=kill"
    goes_on "$1@$2=kill"
}

# hangs POINT RANK: it never answers again; who waits for it past the deadline says so, and ends all.
hangs() {
    disturb 9 "$1@$2=hang"
    says err 'stops all ranks'
    goes_on "$1@$2=hang"
}
