# tests.sh: ./run test. Sourced by ../run.
# shellcheck shell=sh

# phase PRESET LABELS [WITHOUT]: runs the tests of labels (a|b), but for those whose names match WITHOUT; adds to passed, failed, skipped.
phase() {
    printf '\n== %s\n' "$1: $2"
    folder=build/$1
    phase_code=0
    rm -f "$folder/phase.log"
    work ctest --test-dir "$folder" -L "^($2)\$" -E "${3:-^\$}" -j "$(cores)" --no-tests=ignore --output-on-failure --output-log "$PWD/$folder/phase.log" ||
        phase_code=$?
    # one line per finished test: " 3/12 Test  #7: unit/arena ....   Passed    0.02 sec"
    counts=$(awk '/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / { if (/   Passed +[0-9.]+ sec *$/) p++; else if (/\*\*\*Skipped/) s++; else f++ }
        END { print p + 0, f + 0, s + 0 }' "$folder/phase.log")
    # shellcheck disable=SC2086  # three numbers
    set -- $counts
    [ "$phase_code" -eq 0 ] || [ "$2" -gt 0 ] || set -- "$1" 1 "$3" # ctest itself failed
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# fetch_for LABELS: what some tests need and are skipped without.
fetch_for() {
    case " $1 " in *" room "*) [ "$(id -u)" -ne 0 ] || may_need debootstrap iproute2 || : ;; esac
    case " $1 " in
    *" full "*)
        may_need iproute2 || :
        # Slurm's programs, unpacked there: installing them would start daemons
        work sh tests/slurm/lib/fetch.sh build/slurm || say "the tests of Slurm will be skipped"
        ;;
    esac
}

# may_need PACKAGE...: installs them, or fails.
may_need() {
    (listen && need "$@") && return 0
    say "tests that need one of these are skipped: $*"
    return 1
}

run_tests() {
    labels="unit golden mpi e2e" full=''
    for option; do
        case $option in
        --quick) labels=unit ;;
        --room) labels="$labels room" ;;
        --full) labels="unit golden mpi e2e full room" full=--full ;;
        *) wrong "test takes --quick, --room or --full, not '$option'" ;;
        esac
    done
    if [ "$full" = --full ]; then room 900 build; elif [ ! -d build/dev ]; then room 400 build; fi
    # shellcheck disable=SC2086  # lists
    need $build_packages $test_packages
    build dev
    [ -f build/dev/CTestTestfile.cmake ] || ask_for "the tests need Check, which CMake has not found" " check"
    [ -n "$packages_off" ] || fetch_for "$labels"
    passed=0 failed=0 skipped=0
    for label in $labels; do phase dev "$label"; done
    if [ "$full" = --full ]; then
        build asan
        phase asan 'unit|golden|mpi' '^house/|@[45]|romio'
        # shellcheck disable=SC2086  # a list
        if [ -n "$packages_off" ] || may_need $mpich_packages; then
            build mpich
            phase mpich 'unit|golden|mpi|e2e' '^house/|^fuzz/|^e2e/run_'
        else
            skipped=$((skipped + 1))
        fi
    fi
    printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
