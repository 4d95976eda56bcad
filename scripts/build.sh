# build.sh: CMake and Ninja (or make). Sourced by ../run.
# shellcheck shell=sh

cores() { env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc; } # by affinity mask

# Libraries are CMake's to find; without these programs it cannot even tell what is missing.
tools() {
    lack=
    command -v cmake >/dev/null || lack="$lack cmake"
    command -v "${CC:-cc}" >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || lack="$lack gcc libc6-dev"
    command -v ninja >/dev/null || command -v make >/dev/null || lack="$lack ninja-build"
    command -v pkg-config >/dev/null || command -v pkgconf >/dev/null || lack="$lack pkg-config"
    [ -z "$lack" ] || ask_for "nothing can be built here without these (names of Debian's packages):$lack" "$lack"
}

presets() { sed -n 's/^ *"name": "\([^"]*\)",$/\1/p' CMakePresets.json | tr '\n' ' '; }

# build PRESET [TARGET]: configured when there is nothing to build with, or when the checkout was moved; after that Ninja knows what is to be done.
# build/PRESET.unfinished stands beside the folder while something is half-made in it.
build() {
    folder=build/$1
    alone "$1"
    if [ -f "$folder/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$folder/CMakeCache.txt"; then
        say "$folder was configured elsewhere: configuring again"
        : >"$folder.unfinished"
    fi
    if { [ ! -f "$folder/build.ninja" ] && [ ! -f "$folder/Makefile" ]; } || [ -f "$folder.unfinished" ]; then
        tools
        : >"$folder.unfinished"
        rm -rf "$folder"
        generator=
        ! command -v ninja >/dev/null || generator="-G Ninja"
        # shellcheck disable=SC2086  # two words or none
        work cmake --preset "$1" $generator || {
            [ -z "${lacking:-}" ] || ask_for "CMake has not found all it needs. Debian's packages that are not installed:$lacking" "$lacking"
            say "CMake has not found all it needs (see above)"
            exit 10
        }
        rm -f "$folder.unfinished"
    fi
    clean=
    if [ -f "$folder/Makefile" ]; then # make takes what a killed compiler left for a whole file; Ninja keeps account
        [ ! -f "$folder.compiling" ] || clean=--clean-first
        : >"$folder.compiling"
    fi
    build_code=0
    # shellcheck disable=SC2086  # one word or none
    work cmake --build "$folder" ${2:+--target "$2"} $clean --parallel "$(cores)" || build_code=$?
    rm -f "$folder.compiling"
    [ "$build_code" -eq 0 ] || exit "$build_code"
    done_alone
}
