# timeout: 3600
# A tree without any optional library builds without a warning and passes what is left; each absence is told when configuring as `info` tells it.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
build=$(dirname "$LAMINA")
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }

# configure FOLDER OPTION...: as this tree was, with warnings as errors.
configure() {
    folder=$1
    shift
    cmake -S "$LAMINA_ROOT" -B "$folder" -G "$(cached CMAKE_GENERATOR)" -DCMAKE_C_COMPILER="$(cached CMAKE_C_COMPILER)" -DCMAKE_BUILD_TYPE=Release \
        -DMPI_EXECUTABLE_SUFFIX="$(cached MPI_EXECUTABLE_SUFFIX)" -DLAMINA_WERROR=ON "$@"
}

# What is asked for and cannot be is told at once, a line each.
expect 1 configure wrong -DLAMINA_WITHOUT="zstd;openssl"
says err "LAMINA_WITHOUT names 'openssl', which is no optional library: give words of dnnl, blas, lapacke, pcre2, utf8proc, zstd, bzip2, xz, or all" 1
expect 1 configure wrong -DLAMINA_WITHOUT="dnnl;blas"
says err 'neither oneDNN nor a CBLAS was found or wanted: install libdnnl-dev or libopenblas-dev' 1
export PKG_CONFIG_LIBDIR=/none
rm -rf wrong
expect 1 configure wrong -DLAMINA_YAML_LIBRARY= -DLAMINA_ZLIB_INCLUDE=
says err 'libyaml was not found: install libyaml-dev (Debian, Ubuntu), load or install libyaml (modules, Spack), or name its prefix in CMAKE_PREFIX_PATH' 1
says err 'zlib was not found: install zlib1g-dev (Debian, Ubuntu)' 1
unset PKG_CONFIG_LIBDIR

expect 0 configure bare -DLAMINA_WITHOUT=all
cp out configured
expect 0 cmake --build bare --parallel "$(nproc)"
LAMINA=$PWD/bare/lamina
expect 0 "$LAMINA" info
grep ' not built in: ' out >absent
same "$(wc -l <absent)" "$(grep -c '^--   .*: NO: ' configured)" "libraries that info and CMake tell to be absent"
same "$(sed 's/  *not built in: /: NO: /' absent)" "$(sed -n 's/^--   \(.*: NO: .*\)/\1/p' configured)" "what is said to be lost"
[ "$(wc -l <absent)" -ge 7 ] || fail "$(wc -l <absent) libraries are absent"
! readelf -d "$LAMINA" | grep NEEDED | grep -E 'dnnl|lapacke|pcre2|utf8proc|zstd|bz2|lzma' || fail "it is linked with a library that it should not have"

expect 0 ctest --test-dir bare -L '^(unit|golden|mpi|e2e)$' -E '^(house|build)/|e2e/run_' -j 2 --output-on-failure
grep 'Skipped' out
