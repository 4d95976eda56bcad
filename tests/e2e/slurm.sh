# lamina slurm: a batch script that follows from the plan; what cannot work is refused before it is printed. tests/slurm submits it.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 12

# --- what follows from the plan ---
expect 0 "$LAMINA" slurm tiny.yaml --nodes 2 --tasks 4 --threads 2 --time 1-12 'run.name=two.nodes' 'data.train.t.path=t.h5'
cp out job.sbatch
bash -n job.sbatch || fail "the script is no script"
for line in job-name=two.nodes nodes=2 ntasks=4 ntasks-per-node=2 cpus-per-task=2 time=1-12 signal=B:USR1@121 requeue open-mode=append; do
    says job.sbatch "#SBATCH --$line" 1
done
says job.sbatch "set -- 'tiny.yaml' 'run.name=two.nodes' 'data.train.t.path=t.h5' \"\$@\"" 1
says job.sbatch "home='$PWD'" 1
"$LAMINA" plan tiny.yaml --ranks 4 --threads 2 --all >plan
most=$(awk '/^memory/ { inside = 1; next } /^$/ { inside = 0 } inside && $1 ~ /^[0-9]+$/ { print $(NF - 1), $NF }' plan | sort -n | tail -n 1)
[ "${most#* }" = MiB ] || fail "this test reads a plan in MiB, not '$most'"
want_mb=$(echo "$most" | awk '{ m = ($1 + 512) / 2; print m == int(m) ? m : int(m) + 1 }')
says job.sbatch "#SBATCH --mem-per-cpu=${want_mb}M" 1
expect 0 "$LAMINA" slurm tiny.yaml --nodes 2 --tasks 3
says out '#SBATCH --ntasks=3' 1
says out 'ntasks-per-node' 0
says out '#SBATCH --time' 0
expect 0 "$LAMINA" slurm tiny.yaml --signal 300 --time 6
says out '#SBATCH --signal=B:USR1@300' 1
# words are words, whatever stands in them
mkdir "it's here"
cp tiny.yaml "it's here/a b.yaml"
expect 0 "$LAMINA" slurm "it's here/a b.yaml" 'run.name=x' --tasks 1
says out "set -- 'it'\\''s here/a b.yaml' 'run.name=x' \"\$@\"" 1
bash -n out || fail "the script is no script"

# --- what cannot work ---
expect 3 "$LAMINA" slurm tiny.yaml model.width=31
[ ! -s out ] || fail "a script in spite of it"
expect 10 "$LAMINA" slurm tiny.yaml --tasks 4 parallel.group=3
expect 2 "$LAMINA" slurm tiny.yaml --nodes 4 --tasks 2
says err '--tasks 4 or more' 1
for time in 8h 0 0:0:0 1:2:3:4 -5 5- 1-2-3 1-2:3:4:5 '' 1: ; do
    expect 2 "$LAMINA" slurm tiny.yaml --time="$time"
    says err 'is no time as Slurm writes it' 1
done
for time in 2 1:59 0:2:1 0:121; do
    expect 2 "$LAMINA" slurm tiny.yaml --time "$time"
    says err "--time $time is over before" 1
done
for time in 3 2:2 0:2:2 0-1 0-0:3 0-0:2:2; do expect 0 "$LAMINA" slurm tiny.yaml --time "$time"; done
expect 2 "$LAMINA" slurm --nodes 2
expect 2 "$LAMINA" slurm run.name=x

# --- outside a job it says what it is ---
expect 0 "$LAMINA" slurm
cp out train.sbatch
(unset SLURM_JOB_ID && expect 10 bash train.sbatch tiny.yaml && says err 'start it with sbatch' 1)
