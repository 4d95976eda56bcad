# label: full
# timeout: 3600
# The plain C path: built for 64-bit ARM and run by qemu-user. Unit and golden tests, and a run of one rank.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
unset LAMINA_ISA DNNL_MAX_CPU_ISA OPENBLAS_CORETYPE
command -v aarch64-linux-gnu-gcc >/dev/null || skip "no compiler for 64-bit ARM here (packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross)"
command -v qemu-aarch64-static >/dev/null || skip "no qemu-aarch64-static here (package qemu-user-static)"
root=$(dirname "$LAMINA")/../aarch64-root # kept from run to run: 126 MB are fetched
code=0
sh "$LAMINA_ROOT/tests/isa/sysroot.sh" "$root" >out 2>err || code=$?
[ $code -ne 77 ] || { cat out; exit 77; }
[ $code -eq 0 ] || fail "the libraries could not be unpacked"
root=$(cd "$root" && pwd)
build=$(dirname "$root")/aarch64
cores=$(env -u OMP_NUM_THREADS nproc)

export OMPI_MCA_ess_singleton_isolated=1 # a rank alone: no daemon, which would be one of this machine's
cmake -S "$LAMINA_ROOT" -B "$build" --toolchain "$LAMINA_ROOT/cmake/aarch64.cmake" -D LAMINA_SYSROOT="$root" -D LAMINA_WERROR=ON >out 2>&1 ||
    fail "cmake"
cmake --build "$build" --parallel "$cores" >out 2>&1 || fail "the build"
emulated() { qemu-aarch64-static -L "$root" "$build/lamina" "$@"; }

expect 10 env LAMINA_ISA=avx2 qemu-aarch64-static -L "$root" "$build/lamina" info
says err 'LAMINA_ISA=avx2: this machine lacks these instructions; its best is generic' 1

# One run of a rank in two parts is the run in one part, and its checkpoint is read here as it is there.
make_data
make_config 4
expect 0 emulated train tiny.yaml run.name=whole
says out 'kernels    generic; ' 1
whole=$(digest_of out)
expect 75 emulated train tiny.yaml run.name=parts --until 2
expect 0 env OMP_NUM_THREADS=2 qemu-aarch64-static -L "$root" "$build/lamina" train tiny.yaml run.name=parts
same "$(digest_of out)" "$whole" "in two parts, with two threads"
expect 0 "$LAMINA" verify whole
same "$("$LAMINA" hash whole | cut -c1-32)" "$whole" "the digest as this machine reads it"
expect 0 emulated generate whole --prompt word --max-tokens 4 --temperature 0

# House and fuzz tests say nothing about a processor; tests of locks look at when processes began, and
# qemu makes /proc/self/stat up.
ctest --test-dir "$build" -L '^(unit|golden)$' -E '^house/|^fuzz/|^unit/lock$' -j "$cores" --output-on-failure >out 2>&1 || fail "tests"
tail -n 4 out
