# Planned is measured: arenas and bytes on the wire, to the byte, on every rank, in every shard mode; and `plan` prints the same numbers.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 3

for shard in none optimizer gradients full; do
    for n in 1 2 3 4; do
        expect 0 ranks $n "$LAMINA" train tiny.yaml run.name=$shard-$n parallel.shard=$shard
        says out DIFFERENT 0
        says out '  equal'
        says out 'not compared' 0
        ! grep 'gathered weights: at most' out | grep -qv 'at most [12] units' || fail "more than two units were gathered"
        # the largest arena of a kind over the ranks, as the plan has it
        measured=$(sed -n 's/^ *arena step *[0-9,]* *\([0-9,]*\) .*/\1/p' out | tr -d ,)
        expect 0 "$LAMINA" plan tiny.yaml --ranks $n --threads 1 --json parallel.shard=$shard
        planned=$(sed -n 's/^ *"step": \([0-9]*\),*$/\1/p' out | sort -n | tail -n 1)
        same "$measured" "$planned" "bytes of the step arena at $n ranks with shard $shard"
    done
done
expect 0 "$LAMINA" hash none-1 none-4 optimizer-3 gradients-2 full-4
same "$(cut -c 1-32 out | sort -u | wc -l)" 1 "digests over shard modes and rank counts"
