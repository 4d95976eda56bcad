# lamina sweep: a grid is checked as a whole, run point by point, gone on with after a kill -9, and told as lines, table, JSON and figure.
# timeout: 600
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 12

# field FILE RUN KEY: of the newest line of a run, as it is written
field() { grep -F "\"run\":\"$2\"" "$1" | tail -n 1 | sed "s/.*\"$3\":\([^,}]*\)[,}].*/\1/"; }

# --- nothing is started for what cannot work ---
expect 3 "$LAMINA" sweep tiny.yaml --over optimizer.defaults.lrr=1e-3..1e-1@3 --over batch.micro=1,2,3
says err "optimizer.defaults.lrr: there is no such key; did you mean 'lr'?" 1
says err 'batch.micro: micro (3) must divide sequences (14)' 1
says err 'at 3 of 9 points, the first is 3: lrr=1e-3 micro=3' 1
says err 'nothing was started' 1
[ ! -e runs ] || fail "something was started"
expect 2 "$LAMINA" sweep tiny.yaml
expect 2 "$LAMINA" sweep tiny.yaml --over run.name=a,b
expect 2 "$LAMINA" sweep tiny.yaml --over run.seed=1,2 run.seed=3
expect 2 "$LAMINA" sweep tiny.yaml --over run.seed=1,2 --point 3
expect 2 ranks 2 "$LAMINA" sweep tiny.yaml --over run.seed=1,2
says err 'give --ranks N' 1
expect 4 "$LAMINA" sweep tiny.yaml --over run.seed=1,2 data.train.t.path=nothing.h5 --out none
says err 'nothing.h5' 1 # the second point would end in the same way
same "$(grep -c '"status":"failed"' none/results.jsonl)" 1 "points that were tried"
rm -r runs none

# --- a grid with a point that diverges ---
grid='--over optimizer.defaults.lr=4e-3..1@2 --over optimizer.defaults.weight_decay=0.1,1000'
# shellcheck disable=SC2086  # words
expect 0 "$LAMINA" sweep tiny.yaml $grid run.name=whole
says err 'point 4 of 4, whole-lr1-weight_decay1000: diverged after step ' 1
says err '1 to go, ' 1
says out '* ' 1
same "$(awk 'NR == 2 { print $1 }' out)" '*' "mark of the best, which stands first"
same "$(tail -n 1 out | grep -c 'diverged after step')" 1 "what diverged stands last"
results=runs/whole-sweep/results.jsonl
same "$(wc -l <$results)" 4 "lines of results.jsonl"
same "$(field $results whole-lr1-weight_decay1000 exit)" 7 "exit code of the point that diverged"
same "$(field $results whole-lr1-weight_decay1000 valid_loss)" null "its loss"
same "$(field $results whole-lr4e-3-weight_decay0.1 status)" '"complete"' "status of one that did not"
same "$(field $results whole-lr4e-3-weight_decay0.1 step)" 12 "its steps"
final=$(sed -n 's/.*"kind":"evaluation","step":12,.*"loss":\([0-9.]*\),.*/\1/p' runs/whole-lr4e-3-weight_decay0.1/metrics.jsonl)
[ -n "$final" ] || fail "no final evaluation"
same "$(field $results whole-lr4e-3-weight_decay0.1 valid_loss)" "$final" "its validation loss"
says runs/whole-sweep/sweep.svg '<polyline' 2
says runs/whole-sweep/sweep.svg 'class="diverged"' 1
says runs/whole-sweep/sweep.svg '</svg>' 1
[ ! -e runs/whole-sweep/lock ] || fail "the lock stayed"

# again: nothing runs, nothing is written twice
before=$(cat runs/whole-*/events.jsonl | wc -l)
# shellcheck disable=SC2086
expect 0 "$LAMINA" sweep tiny.yaml $grid run.name=whole --json
same "$(cat runs/whole-*/events.jsonl | wc -l)" "$before" "events after a second call"
same "$(wc -l <$results)" 4 "lines of results.jsonl after a second call"
says out '"best": true' 1
says out '"status": "diverged"' 1
if command -v python3 >/dev/null; then
    python3 -c 'import json, sys
r = json.load(open("out"))
assert [p["status"] for p in r].count("complete") == 3 and len(r) == 4 and r[0]["best"], r
losses = [p["valid_loss"] for p in r[:3]]
assert losses == sorted(losses) and r[0]["valid"]["v"]["bits_per_byte"] > 0, r
assert r[3]["values"] == {"optimizer.defaults.lr": 1, "optimizer.defaults.weight_decay": 1000}, r' || fail "--json is not what it should be"
fi

# other settings under the same names are refused as train refuses them, and --again begins those points anew
# shellcheck disable=SC2086
expect 3 "$LAMINA" sweep tiny.yaml $grid run.name=whole run.seed=4
says err 'run.seed: 3 -> 4' 4
# shellcheck disable=SC2086
expect 0 "$LAMINA" sweep tiny.yaml $grid run.name=whole --again
says err '(from before)' 3
same "$(ls -d runs/whole-lr1-weight_decay1000.old-* | wc -l)" 1 "folders moved aside by --again"

# --- kill -9 of the sweep in the middle of a point: the child saves and stops, the same command goes on, and the numbers are the same ---
# shellcheck disable=SC2086
expect 0 "$LAMINA" sweep tiny.yaml $grid --ranks 2 run.steps=12 --point 1 # mpirun, and one point alone
same "$(wc -l <runs/tiny-sweep/results.jsonl)" 1 "lines after one point"
make_config 300
# shellcheck disable=SC2086
expect 0 "$LAMINA" sweep tiny.yaml $grid run.name=long
# shellcheck disable=SC2086
"$LAMINA" sweep tiny.yaml $grid run.name=cut >first.out 2>first.err </dev/null &
process=$!
waited=0
until [ "$(grep -c '"kind":"step"' runs/cut-lr1-weight_decay0.1/metrics.jsonl 2>/dev/null || echo 0)" -ge 20 ] 2>/dev/null; do
    waited=$((waited + 1))
    [ "$waited" -lt 600 ] || fail "no step of the third point after a minute"
    sleep 0.1
done
kill -9 "$process"
wait "$process" || true
[ -e runs/cut-sweep/lock ] || fail "kill -9 left no lock: this test shows nothing"
# shellcheck disable=SC2086
expect 75 "$LAMINA" sweep tiny.yaml $grid run.name=cut --collect
says err '2 of 4 points have a result' 1
says out 'stands at step' 1
printf '{"run":"cut-lr1-weight' >>runs/cut-sweep/results.jsonl # what a kill in the middle of a line leaves
# shellcheck disable=SC2086
expect 0 "$LAMINA" sweep tiny.yaml $grid run.name=cut
says err 'took over the lock' 1
says err '(from before)' 2
says runs/cut-lr1-weight_decay0.1/events.jsonl '"event":"resumed"' 1
for point in lr4e-3-weight_decay0.1 lr4e-3-weight_decay1000 lr1-weight_decay0.1 lr1-weight_decay1000; do
    for key in status step tokens train_loss valid_loss; do
        a=$(field runs/long-sweep/results.jsonl "long-$point" $key) b=$(field runs/cut-sweep/results.jsonl "cut-$point" $key)
        [ -n "$a" ] || fail "no $key of $point"
        same "$b" "$a" "$key of $point after the kill"
    done
done

# --- asked to stop: the child saves, 75, and the same command goes on ---
make_config 400
# shellcheck disable=SC2086
"$LAMINA" sweep tiny.yaml --over run.seed=1,2 --ranks 2 run.name=asked >out 2>err </dev/null &
process=$!
waited=0
until [ "$(grep -c '"kind":"step"' runs/asked-seed1/metrics.jsonl 2>/dev/null || echo 0)" -ge 2 ] 2>/dev/null; do
    waited=$((waited + 1))
    [ "$waited" -lt 600 ] || fail "no step after a minute"
    sleep 0.1
done
kill -TERM "$process"
got=0
wait "$process" || got=$?
same "$got" 75 "exit code after TERM"
says err 'stopped, with 2 of 2 points to go; run the same command to go on' 1
says runs/asked-seed1/events.jsonl '"event":"stopped"' 1
expect 75 "$LAMINA" sweep tiny.yaml --over run.seed=1,2 run.name=asked --collect

# --- Slurm: the script, with stand-ins for srun and scontrol that start one rank and take notes ---
make_config 12
mkdir bin
cat >bin/srun <<'END'
#!/bin/sh
echo "srun $1 $2 $3" >>notes
shift 3
[ ! -e stop ] || { rm stop && exit 75; }
SLURM_PROCID=0 SLURM_STEP_ID=0 exec "$@"
END
cat >bin/scontrol <<'END'
#!/bin/sh
echo "scontrol $*" >>notes
END
chmod +x bin/srun bin/scontrol
expect 0 "$LAMINA" sweep tiny.yaml --over optimizer.defaults.betas='[0.9,0.95],[0.9, 0.99]' run.name=array --slurm --at-once 3 --ranks 1
[ ! -e runs/array-sweep ] || fail "--slurm started something"
cp out array.sh
says array.sh '#SBATCH --array=0-1%3' 1
says array.sh '#SBATCH --signal=B:USR1@120' 1
says array.sh "'optimizer.defaults.betas=[0.9,0.95],[0.9, 0.99]'" 1
bash -n array.sh || fail "the script is no script"
task() { env PATH="$PWD/bin:$PATH" SLURM_JOB_ID=8 SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID="$1" SLURM_CPUS_PER_TASK=2 SLURM_PROCID=0 bash array.sh; }
expect 0 task 0
same "$(cat notes)" 'srun --mpi=pmix --cpus-per-task=2 --wait=60' "what srun was asked for"
same "$(wc -l <runs/array-sweep/results.jsonl)" 1 "lines after one task"
: >stop
expect 75 task 1
same "$(tail -n 1 notes)" 'scontrol requeue 7_1' "what scontrol was asked for"
LAMINA_PMI=pmi2 expect 0 task 1
says notes 'srun --mpi=pmi2' 1
count=$(wc -l <notes)
expect 0 task 1 # it has its result: nothing is started
same "$(wc -l <notes)" "$count" "lines of notes"
expect 0 "$LAMINA" sweep tiny.yaml --over optimizer.defaults.betas='[0.9,0.95],[0.9, 0.99]' run.name=array --collect
same "$(grep -c 'array-betas_0.9_0.9' out)" 2 "rows of the table"
says runs/array-sweep/sweep.svg '<polyline' 1
