# label: full
# A world of unlike ranks is refused: at 2, 3 and 4 ranks, whichever is the odd one; two ranks, their hosts, the kernel and the remedy are
# named, once. A rank of another build is refused as well.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
unset OPENBLAS_CORETYPE DNNL_MAX_CPU_ISA LAMINA_ISA
make_data
make_config 2
"$LAMINA" info >info
grep -q '^instruction set *avx' info || skip "this machine has one instruction set"
! grep -q '^fp32 products *oneDNN' info || dnnl=yes
host=$(uname -n)

for n in 2 3 4; do
    for odd in 0 1 $((n - 1)); do
        other=$odd
        [ "$odd" -ne 0 ] || other=1 # rank 0 is compared with the others
        named="rank 0 on $host and rank $other on $host compute"
        expect 10 odd_rank $n $odd LAMINA_ISA=generic "$LAMINA" train tiny.yaml
        says err "$named exp with different bits: set LAMINA_ISA=avx2 for all ranks" 1
        [ -n "${dnnl:-}" ] || continue
        expect 10 odd_rank $n $odd DNNL_MAX_CPU_ISA=SSE41 "$LAMINA" train tiny.yaml precision.compute=fp32
        says err "$named product " 1
        says err 'with different bits: set LAMINA_ISA=avx2 for all ranks' 1
    done
done
# DNNL_MAX_CPU_ISA=AVX2 against a library that is free to choose: the same bits where it would choose AVX2 anyway
if [ -n "${dnnl:-}" ] && grep -q '^instruction set *avx512' info; then
    expect 10 odd_rank 2 1 DNNL_MAX_CPU_ISA=AVX2 "$LAMINA" train tiny.yaml precision.compute=fp32
    says err 'with different bits: set LAMINA_ISA=avx2' 1
    # one rank without bf16 hardware: auto is fp32 for all, and says whose machine lacks it
    expect 10 odd_rank 2 1 DNNL_MAX_CPU_ISA=AVX2 "$LAMINA" train tiny.yaml
fi
[ ! -e runs ] || fail "a refused run left a folder"

# --fresh moves nothing aside before the world is known to be sound
expect 0 "$LAMINA" train tiny.yaml
expect 10 odd_rank 2 1 LAMINA_ISA=generic "$LAMINA" train tiny.yaml --fresh
same "$(ls runs)" tiny "the runs after a refused --fresh"
# commands that read a checkpoint compute together, too
expect 10 odd_rank 2 1 LAMINA_ISA=generic "$LAMINA" eval tiny
says err 'set LAMINA_ISA=avx2 for all ranks' 1

cp "$LAMINA" ./lamina
printf '\n' >>lamina
for ranks in 1:2 2:1; do
    # shellcheck disable=SC2086  # words
    expect 10 $launcher "${ranks%:*}" "$LAMINA" train tiny.yaml : -n "${ranks#*:}" ./lamina train tiny.yaml
    says err "the program is not the same on all ranks: rank 0 on $host has " 1
    says err ", rank ${ranks%:*} on $host has " 1
done
