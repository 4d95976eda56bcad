# Ranks that compute other bits may not share a run; a run that goes on where other bits are computed says so.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 8
expect 0 "$LAMINA" info
! grep -q '^instruction set *generic' out || { echo "skipped: this machine has one instruction set"; exit 77; }

# shellcheck disable=SC2086  # words
expect 10 $launcher 1 env LAMINA_ISA=generic "$LAMINA" train tiny.yaml : -n 1 "$LAMINA" train tiny.yaml
says err 'with different bits: set LAMINA_ISA=avx2' 1
says err 'rank 0 on' 1

expect 75 env LAMINA_ISA=generic "$LAMINA" train tiny.yaml --until 4
expect 0 "$LAMINA" show tiny
says out 'lineage        0'
expect 0 "$LAMINA" train tiny.yaml
says err 'lineage 1 begins' 1
expect 0 "$LAMINA" show tiny
says out 'lineage        1'
