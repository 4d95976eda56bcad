# Jobs of Slurm: plain ones, asked to stop and requeued, arrays, sweeps, rendered scripts; by root and by a user, with mpirun's digests.
# timeout: 900
. "$LAMINA_ROOT/tests/slurm/lib/cluster.sh"
train=$cluster/lamina/slurm/train.sbatch
export LAMINA_PROGRESS=line # what a login shell may say must not reach a log

make_data
make_config 60
sed -i 's/every: 4,/every: 1000,/' tiny.yaml
expect 0 ranks 1 "$LAMINA" train tiny.yaml run.name=reference # the same bits at any number of ranks, and the quickest
digest=$(digest_of out)
[ -n "$digest" ] || fail "no digest"
expect 0 ranks 1 "$LAMINA" train tiny.yaml run.name=short run.steps=15
short=$(digest_of out)

# --- the time's real end, in the background of all that follows: it comes after half a minute ---
expect 0 sbatch --parsable --time=1 --signal=B:USR1@60 "$train" tiny.yaml run.name=timed run.steps=1000000
timed=$(cat out)
# --- so does the end of ranks that lost one ---
LAMINA_FAULT=step_local@1:9=kill expect 0 sbatch --parsable --nodes=2 --ntasks=2 "$train" tiny.yaml run.name=killed
killed=$(cat out)

for user in $(users); do
    mkdir "$user"
    cp tiny.yaml t.h5 v.h5 "$user"
    [ "$(id -un)" = "$user" ] || chown -R "$user" "$user"
    cd "$user"

    # --- four ranks on two nodes ---
    expect 0 as "$user" sbatch --parsable --nodes=2 --ntasks=4 --cpus-per-task=2 "$train" tiny.yaml run.name=plain run.steps=15
    job=$(cat out)
    ended "$job" COMPLETED 0
    same "$(digest_of "slurm-$job.out")" "$short" "digest under srun"
    says "slurm-$job.out" '4 ranks × 2 threads' 1
    same "$(grep -o '"n[1-4]"' runs/plain/run.json | sort -u | wc -l)" 2 "nodes of the run"
    same "$(stat -c %U runs/plain/run.json)" "$user" "who owns the run"

    # --- asked to stop as at the time's end: 75, the queue again, the same bits ---
    expect 0 as "$user" sbatch --parsable --nodes=2 --ntasks=3 "$train" tiny.yaml run.name=again
    job=$(cat out)
    until_step runs/again/metrics.jsonl 5
    as "$user" scancel --batch --signal=USR1 "$job"
    requeued "$job"
    says "slurm-$job.out" 'stopped as asked at step' 1
    says runs/again/events.jsonl 'asked to stop by USR1' 1
    ended "$job" COMPLETED 0
    same "$(digest_of "slurm-$job.out" | tail -n 1)" "$digest" "digest after stop and requeue"
    says "slurm-$job.out" 'complete: 60 steps' 1 # one log of both
    cd ..
done

# --- an array: a task per configuration ---
sed 's/name: tiny/name: first/' tiny.yaml >first.yaml
sed 's/name: tiny, seed: 3/name: second, seed: 4/' tiny.yaml >second.yml
expect 0 sbatch --parsable --array=0-2 "$train" first.yaml second.yml
job=$(cat out)
# --- a sweep ---
expect 0 "$LAMINA" sweep tiny.yaml --over run.seed=3,4 --ranks 2 --slurm run.name=grid
cp out grid.sbatch
expect 0 sbatch --parsable grid.sbatch
grid=$(cat out)
# --- cancelled: TERM reaches the ranks, which save; the job stays away ---
expect 0 sbatch --parsable --ntasks=2 "$train" tiny.yaml run.name=cancelled run.steps=100000
cancelled=$(cat out)

ended "${job}_0" COMPLETED 0
ended "${job}_1" COMPLETED 0
ended "${job}_2" FAILED 2
says "slurm-${job}_2.out" 'task 2 of the array has no configuration among the 2 given' 1
same "$(digest_of "slurm-${job}_0.out")" "$digest" "digest of the first configuration"
says runs/second/events.jsonl '"event":"complete"' 1
[ "$(digest_of "slurm-${job}_1.out")" != "$digest" ] || fail "the second configuration is the first"

until_step runs/cancelled/metrics.jsonl 2
scancel "$cancelled"
ended "$cancelled" CANCELLED 75
grep -q 'asked to stop by .*TERM' runs/cancelled/events.jsonl || fail "TERM did not reach the ranks"
expect 0 "$LAMINA" verify cancelled

ended "${grid}_0" COMPLETED 0
ended "${grid}_1" COMPLETED 0
expect 0 "$LAMINA" sweep tiny.yaml --over run.seed=3,4 --ranks 2 run.name=grid --collect
says out 'grid-seed' 2
expect 0 "$LAMINA" hash grid-seed3 reference
same "$(cut -c 1-32 out | sort -u | wc -l)" 1 "digests of the sweep's point and of mpirun's run"

# --- a rendered script, from elsewhere and to elsewhere; further words count ---
mkdir "$cluster/elsewhere" "$cluster/runs elsewhere"
expect 0 "$LAMINA" slurm tiny.yaml --nodes 2 --tasks 4 --threads 1 --time 10 "run.folder=$cluster/runs elsewhere" run.steps=15
cp out "$cluster/elsewhere/job.sbatch"
cd "$cluster/elsewhere"
expect 0 sbatch --parsable job.sbatch run.name=rendered
job=$(cat out)
ended "$job" COMPLETED 0
same "$(digest_of "slurm-$job.out")" "$short" "digest of the rendered job"
says "$cluster/runs elsewhere/rendered/events.jsonl" '"event":"complete"' 1
same "$(field "$job" NumTasks)" 4 "tasks asked for"
[ ! -e runs ] && [ ! -e ../jobs/runs/rendered ] || fail "a run is where it should not be"
# --- the general script, from elsewhere, with site.sh; --until is an end that is not requeued ---
cat >"$cluster/lamina/slurm/site.sh" <<'END'
echo "site: $undefined"
export LAMINA_PMI=pmix_v4
false
END
expect 0 sbatch --parsable "$train" ../jobs/tiny.yaml --until 7 run.name=site run.folder=here "data.train.t.path=$cluster/jobs/t.h5" \
    "data.valid.v.path=$cluster/jobs/v.h5"
job=$(cat out)
ended "$job" FAILED 75
same "$(head -n 1 "slurm-$job.out")" "site: " "first line of the log"
says "slurm-$job.out" 'stopped at step 7 by --until' 1
[ -e here/site/ckpt ] || fail "run.folder was not obeyed"
LAMINA_SITE=nowhere.sh expect 0 sbatch --parsable "$train" ../jobs/tiny.yaml
job=$(cat out)
ended "$job" FAILED 10
says "slurm-$job.out" 'LAMINA_SITE: nowhere.sh cannot be read' 1
rm "$cluster/lamina/slurm/site.sh"
cd ../jobs

# --- the time's real end ---
tries=0
until [ "$(field "$timed" Restarts)" -ge 1 ]; do # by now it may have begun again by itself
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "the job whose time ended is $(field "$timed" JobState)"
    sleep 0.2
done
scancel "$timed"
step=$(sed -n 's/^stopped as asked at step \([0-9]*\);.*/\1/p' "slurm-$timed.out" | head -n 1)
expect 75 "$LAMINA" train tiny.yaml --until "$step" run.name=untimed run.steps=1000000
same "$(digest_of "slurm-$timed.out" | head -n 1)" "$(digest_of out)" "digest at the time's end"

# --- a lost rank ends the others after a minute, and nobody tries again what killed it ---
ended "$killed" FAILED 137
says "slurm-$killed.out" 'Killed'
same "$(field "$killed" Restarts)" 0 "starts again of the job whose rank was killed"

plain slurm-*.out */slurm-*.out ../elsewhere/slurm-*.out

# --- in all this nobody has tried to reach anything beyond this machine ---
same "$(unreachable)" 0 "packets without a route"
"$LAMINA" --version | timeout 5 bash -c 'cat >/dev/udp/192.0.2.1/9' 2>/dev/null || true
[ "$(unreachable)" -gt 0 ] || fail "packets without a route are not counted: this test shows nothing"
