# label: e2e
# What is installed runs wherever it is moved to, and knows neither the source nor the build tree.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
build=$(dirname "$LAMINA")

# DESTDIR is for who makes packages: nothing appears at the prefix itself.
expect 0 env DESTDIR="$PWD/stage" cmake --install "$build" --prefix "$PWD/prefix"
[ ! -e prefix ] || fail "DESTDIR was passed over"
mkdir "new place"
mv "stage$PWD/prefix" "new place/lamina"
rm -rf stage
there="$PWD/new place/lamina"

# Nothing names where it came from: texts, messages, debugging information, RUNPATH.
grep -rlF -e "$LAMINA_ROOT" -e "$build" "$there" >named || true
[ ! -s named ] || fail "these name the source or the build tree: $(cat named)"
for part in bin/lamina share/lamina/configs/quickstart.yaml share/lamina/configs/REFERENCE.md share/lamina/slurm/train.sbatch share/doc/lamina/LICENSE; do
    [ -f "$there/$part" ] || fail "$part is not installed"
done
for script in "$LAMINA_ROOT"/slurm/*; do
    [ ! -x "$script" ] || [ -x "$there/share/lamina/slurm/${script##*/}" ] || fail "${script##*/} may not be executed any more"
done

# It runs from there: alone, as two ranks, and as its own child.
LAMINA="$there/bin/lamina"
expect 0 "$LAMINA" --version
expect 0 "$LAMINA" --help
expect 0 "$LAMINA" info
make_data
make_config 8
expect 0 ranks 2 "$LAMINA" train tiny.yaml
[ -n "$(digest_of out)" ] || fail "no digest"
expect 0 "$LAMINA" sweep tiny.yaml --over run.seed=3,4 run.name=one
expect 0 "$LAMINA" sweep tiny.yaml --over run.seed=3 run.name=two --ranks 2

# The recipes are read from where they stand: this one lacks its data and nothing else.
expect 4 "$LAMINA" plan "$there/share/lamina/configs/quickstart.yaml"
says err 'data/gcide2048.json'
