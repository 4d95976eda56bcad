# label: full
# timeout: 900
# Each of the bad configurations and overrides ends `train` with code 3, alone and on four ranks, and is told once, at its place.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
. "$LAMINA_ROOT/tests/e2e/lib/bad_yaml.sh"
make_bad_files
make_bad_overrides

while IFS='|' read -r file place words; do
    expect 3 soon "$LAMINA" train "$file" </dev/null
    told "$file" "$place" "$words"
    expect 3 ranks 4 sh -c 'ulimit -t "$1" && shift && exec "$@"' sh "${CK_TIMEOUT_MULTIPLIER:-2}" "$LAMINA" train "$file"
    told "$file" "$place" "$words"
done <bad.list
while IFS='|' read -r override column words; do
    expect 3 ranks 4 "$LAMINA" train tiny.yaml "$override"
    says err "$words" 1
    says err 'command line: ' 1
    caret "$column"
done <overrides.list
[ ! -e runs ] || fail 'something was started'
