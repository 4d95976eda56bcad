# Instruction sets: every word of LAMINA_ISA is obeyed or refused in one sentence; ranks that compute other bits may not share a run, and the
# remedy that the sentence names is one.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
unset OPENBLAS_CORETYPE DNNL_MAX_CPU_ISA LAMINA_ISA
make_data
make_config 2

set_of() { sed -n 's/^instruction set *\([a-z0-9_]*\).*/\1/p' "$1"; }
expect 0 "$LAMINA" info
best=$(set_of out)
has() { grep -q "^$1" out; }
! has 'fp32 products *oneDNN' || dnnl=yes
! has 'CBLAS *OpenBLAS' || openblas=yes

# ---- words ----
lacking=
for word in generic avx2 avx512 avx512_bf16 amx; do
    got=0
    LAMINA_ISA=$word "$LAMINA" info >out 2>err || got=$?
    if [ $got -eq 0 ]; then
        same "$(set_of out)" "$word" "the set in use"
    else
        [ $got -eq 10 ] || fail "LAMINA_ISA=$word ended with $got"
        lacking=$word
        says err "LAMINA_ISA=$word: this machine lacks these instructions; its best is $best" 1
    fi
done
for n in 1 4; do
    expect 10 ranks $n env LAMINA_ISA=AVX-2 "$LAMINA" train tiny.yaml
    says err "LAMINA_ISA=AVX-2 is not known (did you mean 'avx2'?): use generic, avx2, avx512, avx512_bf16 or amx" 1
    expect 10 ranks $n env LAMINA_ISA=native "$LAMINA" train tiny.yaml
    says err 'LAMINA_ISA=native is not known: use generic' 1
    [ -n "$lacking" ] || continue
    expect 10 ranks $n env LAMINA_ISA="$lacking" "$LAMINA" train tiny.yaml
    says err "LAMINA_ISA=$lacking: this machine lacks these instructions" 1
done
[ ! -e runs ] || fail "a refused run left a folder"
expect 0 env LAMINA_ISA=generic "$LAMINA" train tiny.yaml run.name=generic
says out 'kernels    generic, as LAMINA_ISA asks' 1
generic=$(digest_of out)
[ "$best" != generic ] || { echo "the rest is skipped: this machine has one instruction set"; exit 0; }

# ---- the libraries obey, whatever else the environment asks of them ----
if [ -n "${dnnl:-}" ]; then
    DNNL_MAX_CPU_ISA=ALL LAMINA_ISA=avx2 "$LAMINA" info | grep -q '^fp32 products *oneDNN.*(avx2)' || fail "oneDNN does not obey"
    LAMINA_ISA=generic "$LAMINA" info | grep -q '^fp32 products *oneDNN.*(sse41)' || fail "oneDNN does not obey generic"
fi
if [ -n "${openblas:-}" ]; then
    for pair in generic:Nehalem avx2:Haswell; do
        OPENBLAS_CORETYPE=Sandybridge LAMINA_ISA=${pair%:*} "$LAMINA" info | grep -q "^CBLAS .*core type ${pair#*:}," ||
            fail "OpenBLAS does not obey ${pair%:*}"
    done
fi

# ---- unlike ranks are refused (more worlds in unlike.sh), and the remedy is one ----
expect 10 odd_rank 3 1 LAMINA_ISA=generic "$LAMINA" train tiny.yaml
says err 'compute exp with different bits: set LAMINA_ISA=avx2 for all ranks, or use like machines' 1
[ ! -e runs/tiny ] || fail "a refused run left a folder"
expect 0 env LAMINA_ISA=avx2 "$LAMINA" train tiny.yaml run.name=alone
alone=$(digest_of out)
[ "$alone" != "$generic" ] || fail "generic and avx2 computed the same: then this test sees nothing"
export LAMINA_ISA=avx2
expect 0 odd_rank 3 1 DNNL_MAX_CPU_ISA=SSE41 "$LAMINA" train tiny.yaml run.name=remedy
same "$(digest_of out)" "$alone" "three unlike ranks under LAMINA_ISA=avx2"
unset LAMINA_ISA

# A core type that a site sets on some of its nodes, and an optimizer of whole matrices.
sed 's/optimizer: adamw, lr: 4e-3/optimizer: soap, lr: 4e-3/' tiny.yaml >soap.yaml
if [ -n "${openblas:-}" ] && "$LAMINA" check soap.yaml >/dev/null 2>&1; then
    expect 10 odd_rank 2 1 OPENBLAS_CORETYPE=Nehalem "$LAMINA" train soap.yaml
    says err 'fp64 with different bits' 1
    export LAMINA_ISA=avx2
    expect 0 odd_rank 2 1 OPENBLAS_CORETYPE=Nehalem "$LAMINA" train soap.yaml
    unset LAMINA_ISA
fi

# ---- bf16 where oneDNN refuses it ----
if [ -n "${dnnl:-}" ]; then
    export DNNL_MAX_CPU_ISA=AVX2
    expect 0 ranks 2 "$LAMINA" train tiny.yaml run.name=auto precision.compute=auto
    says out 'precision  fp32: auto, and ' 1
    expect 0 "$LAMINA" train tiny.yaml run.name=half precision.compute=bf16
    says out 'precision  bf16, as the configuration asks (oneDNN' 1
    says out 'on panels converted to fp32' 1
    half=$(digest_of out)
    expect 0 ranks 3 "$LAMINA" train tiny.yaml run.name=half3 precision.compute=bf16
    same "$(digest_of out)" "$half" "bf16 on panels at 3 ranks"
fi
