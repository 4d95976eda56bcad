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

# phase_under SETTINGS PRESET LABELS [WITHOUT]: a phase with these variables (NAME=VALUE ...) in the environment of every test.
phase_under() {
    settings=$1
    shift
    # shellcheck disable=SC2086  # words
    if ! env $settings build/dev/lamina info >/dev/null 2>&1; then
        say "this machine has no $settings: the tests under it are skipped"
        skipped=$((skipped + 1))
        return 0
    fi
    printf '\n== under %s' "$settings"
    # shellcheck disable=SC2163  # assignments
    for setting in $settings; do export "$setting"; done
    phase "$@"
    for setting in $settings; do unset "${setting%%=*}"; done
}

# fetch_for LABELS: what some tests need and are skipped without.
fetch_for() {
    case " $1 " in *" room "*) [ "$(id -u)" -ne 0 ] || may_need debootstrap iproute2 || : ;; esac
    case " $1 " in
    *" full "*)
        may_need iproute2 || :
        may_need qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross || :
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

elsewhere='^house/|^fuzz/|^e2e/run_' # what is the same there

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
        # as on other processors, and through the other MPI-IO of Open MPI
        phase_under 'LAMINA_ISA=avx2 OPENBLAS_CORETYPE=Haswell' dev 'unit|golden|mpi|e2e' "$elsewhere"
        phase_under DNNL_MAX_CPU_ISA=AVX2 dev 'unit|golden|mpi|e2e' "$elsewhere"
        phase_under 'LAMINA_ISA=generic OPENBLAS_CORETYPE=Nehalem' dev 'unit|golden'
        phase_under OMPI_MCA_io=romio321 dev 'mpi|e2e' "$elsewhere|romio"
        # shellcheck disable=SC2086  # a list
        if [ -n "$packages_off" ] || may_need $mpich_packages; then
            build mpich
            phase mpich 'unit|golden|mpi|e2e' "$elsewhere"
        else
            skipped=$((skipped + 1))
        fi
    fi
    printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
