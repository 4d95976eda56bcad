# Each of the bad configurations and of the bad overrides is told once, at its place, by commands that start nothing; in bounded time.
# bad_yaml_ranks.sh does the same for train, alone and on four ranks.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
. "$LAMINA_ROOT/tests/e2e/lib/bad_yaml.sh"
make_bad_files
make_bad_overrides
[ "$(wc -l <bad.list)" -ge 70 ] || fail 'rows are missing'

# What differs from tiny.yaml in what nobody means is no mistake.
expect 0 "$LAMINA" check tiny.yaml
sed 's/$/\r/' tiny.yaml >crlf.yaml
expect 0 "$LAMINA" check crlf.yaml
sed 's/^batch: .*/batch:\n  sequences:\t14\t# a tab between words\n  micro: 2/' tiny.yaml >tab_between.yaml
expect 0 "$LAMINA" check tab_between.yaml
printf -- '---\n' | cat - tiny.yaml >one_document.yaml
expect 0 "$LAMINA" check one_document.yaml

while IFS='|' read -r file place words; do
    for command in check plan; do
        expect 3 soon "$LAMINA" $command "$file"
        told "$file" "$place" "$words"
    done
done <bad.list
while IFS='|' read -r override column words; do
    expect 3 soon "$LAMINA" check tiny.yaml "$override"
    says err "$words" 1
    says err 'command line: ' 1
    caret "$column"
done <overrides.list
# What has no = or no key is a word of the command line that nobody expects.
for word in = =3 run.steps; do
    expect 2 "$LAMINA" check tiny.yaml "$word"
    says err "\"$word\" is one argument too many" 1
done
