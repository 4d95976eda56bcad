# A node that dies under a run (its daemon, its steps and its ranks at once): Slurm puts the job back into the queue, and it ends with the bits of an
# undisturbed run.
# timeout: 600
kill_wait=5
. "$LAMINA_ROOT/tests/slurm/lib/cluster.sh"
train=$cluster/lamina/slurm/train.sbatch
make_data
make_config 45
sed -i 's/every: 4,/every: 20,/' tiny.yaml
expect 0 ranks 1 "$LAMINA" train tiny.yaml run.name=reference
digest=$(digest_of out)
[ -n "$digest" ] || fail "no digest"

# Everything that runs for a node: its daemon, what carries its name in the environment, and the step daemons above that.
processes_of() {
    pgrep -f "^slurmd .*-N $1 "
    for at in /proc/[0-9]*; do
        tr '\0' '\n' <"$at/environ" 2>/dev/null | grep -qx "SLURMD_NODENAME=$1" || continue
        echo "${at#/proc/}"
        above=$(sed -n 's/^PPid:[^0-9]*//p' "$at/status" 2>/dev/null)
        tr '\0' ' ' <"/proc/${above:-none}/cmdline" 2>/dev/null | grep -q '^slurmstepd' && echo "$above"
    done
}

# --- a node dies: first the other one, then the one with the batch script and rank 0, which holds the run's lock ---
# Rank 1 hangs in a step after the first checkpoint, so that the run is there when the node goes; its second start has too few steps for that.
for which in other batch; do
    LAMINA_FAULT=step_local@1:30=hang expect 0 sbatch --parsable --ntasks=2 --ntasks-per-node=1 "$train" tiny.yaml run.name=$which
    job=$(cat out)
    tries=0
    until [ -e runs/$which/ckpt/step-00000020/manifest.json ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || fail "no checkpoint: $(cat "slurm-$job.out")"
        sleep 0.2
    done
    first=$(field "$job" BatchHost)
    other=$(grep -o '"n[1-4]"' runs/$which/run.json | tr -d '"' | grep -vx "$first")
    if [ $which = batch ]; then dead=$first; else dead=$other; fi
    # shellcheck disable=SC2046  # numbers
    kill -KILL $(processes_of "$dead") 2>/dev/null || true # some end with others before their turn
    requeued "$job" 120
    ended "$job" COMPLETED 0
    same "$(digest_of "slurm-$job.out" | tail -n 1)" "$digest" "digest after $dead died"
    says runs/$which/events.jsonl '"event":"resumed"' 1
    says runs/$which/events.jsonl 'from an earlier start of this job' 1
    [ ! -e runs/$which/lock ] || fail "a lock stayed"
    start_node "$dead"
    tries=0
    until sinfo -h -n "$dead" -o %t | grep -qx idle; do
        tries=$((tries + 1))
        [ "$tries" -lt 120 ] || fail "$dead does not come back"
        sleep 0.5
    done
done
