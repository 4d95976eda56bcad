# label: full
# timeout: 900
# Other x86 processors, by qemu-user: the oldest that the program is built for (x86-64-v2) runs it, and one with AVX2 and no more computes the
# bits that LAMINA_ISA=avx2 gives here; generic is the same on all.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
unset LAMINA_ISA DNNL_MAX_CPU_ISA OPENBLAS_CORETYPE
[ "$(uname -m)" = x86_64 ] || skip "this machine is no x86-64"
command -v qemu-x86_64-static >/dev/null || skip "no qemu-x86_64-static here (package qemu-user-static)"
! nm "$LAMINA" 2>/dev/null | grep -q __asan_init || skip "the address sanitizer does not run under qemu-user"
export OMPI_MCA_ess_singleton_isolated=1 # no daemon of this machine's beside an emulated rank

# MODEL: what it has not of its namesake only makes qemu warn.
nehalem() { qemu-x86_64-static -cpu Nehalem "$@"; }
haswell() { qemu-x86_64-static -cpu Haswell,-rtm,-hle,-pcid,-x2apic,-tsc-deadline,-invpcid "$@"; }
haswell /bin/true 2>/dev/null || skip "qemu-user does not run a program here"

# ---- what an old processor lacks (info itself measures a peak, which takes an emulator minutes) ----
for word in avx2 avx512; do
    expect 10 env LAMINA_ISA=$word qemu-x86_64-static -cpu Nehalem "$LAMINA" info
    says err "LAMINA_ISA=$word: this machine lacks these instructions; its best is generic" 1
done
expect 10 env LAMINA_ISA=avx512 qemu-x86_64-static -cpu Haswell "$LAMINA" info
grep -q 'its best is avx2 ' err || skip "this qemu does not emulate AVX2 and FMA (7.2 does)"

# ---- parts, and the whole, on the oldest ----
for unit in arena convert parallel rng; do
    ! [ -x "$(dirname "$LAMINA")/tests/unit_$unit" ] ||
        LAMINA_ISA=generic CK_TIMEOUT_MULTIPLIER=20 nehalem "$(dirname "$LAMINA")/tests/unit_$unit" >out 2>&1 || fail "unit_$unit on Nehalem"
done
make_data
make_config 2
digest_with() { # NAME COMMAND...: trains and prints the state's digest
    name=$1
    shift
    expect 0 "$@" "$LAMINA" train tiny.yaml run.name="$name" precision.compute="${precision:-fp32}"
    digest_of out
}
old=$(digest_with old qemu-x86_64-static -cpu Nehalem)
says out 'kernels    generic; ' 1
here=$(digest_with generic env LAMINA_ISA=generic)
same "$old" "$here" "Nehalem, and LAMINA_ISA=generic here"

# ---- LAMINA_ISA=avx2 is what a machine with AVX2 computes, in fp32 and in bf16 ----
"$LAMINA" info >info
grep -q '^instruction set *avx' info || { echo "the rest is skipped: this machine has no AVX2"; exit 0; }
for precision in fp32 bf16; do
    export LAMINA_ISA=avx2
    here=$(digest_with avx2-$precision env)
    there=$(digest_with haswell-$precision qemu-x86_64-static -cpu Haswell,-rtm,-hle,-pcid,-x2apic,-tsc-deadline,-invpcid)
    unset LAMINA_ISA
    same "$there" "$here" "Haswell, and LAMINA_ISA=avx2 here, in $precision"
    [ "$here" != "$old" ] || fail "avx2 and generic computed the same: then this test sees nothing"
    for run in avx2 haswell; do "$LAMINA" show $run-$precision | grep '^fingerprint' >$run.fingerprint; done
    cmp -s avx2.fingerprint haswell.fingerprint || fail "the fingerprints differ"
done
