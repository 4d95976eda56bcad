# Ranks that compute other bits may not share a run; a run that goes on where other bits are computed says so.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
unset LAMINA_ISA DNNL_MAX_CPU_ISA
make_data
make_config 8
expect 0 "$LAMINA" info
! grep -q '^instruction set *generic' out || skip "this machine has one instruction set"

expect 10 odd_rank 2 0 LAMINA_ISA=generic "$LAMINA" train tiny.yaml
says err 'with different bits: set LAMINA_ISA=avx2' 1
says err 'rank 0 on' 1

expect 75 env LAMINA_ISA=generic "$LAMINA" train tiny.yaml --until 4
expect 0 "$LAMINA" show tiny
says out 'lineage        0'
before=$(LAMINA_ISA=generic "$LAMINA" hash tiny)

# Other commands take a checkpoint from anywhere: what is stored is the same, and what they compute of it is theirs.
expect 0 "$LAMINA" hash tiny
same "$(cat out)" "$before" "the digest on a machine with other kernels"
expect 0 "$LAMINA" verify tiny
expect 0 "$LAMINA" eval tiny
expect 0 "$LAMINA" generate tiny --prompt word --max-tokens 8
cp -r runs/tiny runs/same

# Under the same fingerprint nothing is said; another begins a lineage.
expect 75 env LAMINA_ISA=generic "$LAMINA" train tiny.yaml run.name=same --until 6
says err lineage 0
expect 0 "$LAMINA" train tiny.yaml
says err 'lineage 1 begins' 1
expect 0 "$LAMINA" show tiny
says out 'lineage        1'
expect 0 "$LAMINA" diff tiny tiny
expect 1 "$LAMINA" diff tiny same
