# label: e2e
# Each fault point once, on one rank after the other; the whole sweep is sweep.sh.
. "$LAMINA_ROOT/tests/fault/lib/sweep.sh"
start_sweep

turn=0
for point in $(points); do
    # shellcheck disable=SC2046  # a list of ranks
    set -- $(visitors "$point")
    shift $((turn % $#))
    fails "$point" "$1"
    turn=$((turn + 1))
done
dies save_digest 1
