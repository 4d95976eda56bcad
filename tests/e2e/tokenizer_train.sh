# A vocabulary has the same bytes at any number of ranks and threads, from plain and packed text; what fails leaves the older file and nothing else.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
needs PCRE2
# 5 MB, so that three ranks have shares; some letters beyond ASCII and a byte that is not UTF-8
awk 'BEGIN { s = 7; for (i = 0; i < 90000; i++) { s = (s * 1103 + 12345) % 65536
    printf "word%d is the %s of Wörter, item %d%s\n  and %d follows\n", s, (s % 3 ? "name" : "number"), s % 131, (s % 7 ? "." : "…\377"), s % 13 } }' >text.txt
head -c 300000 text.txt >few.txt
head -n 2000 text.txt | tr -d '\377' >little.txt # UTF-8
gzip -k text.txt
train="$LAMINA tokenizer train --document-start ^w --vocab"

expect 0 $train 700 --out one.json text.txt
says out '700 entries: 256 bytes, 443 merges, 1 special token'
for threads in 2 16; do
    export OMP_NUM_THREADS=$threads
    expect 0 $train 700 --out threads.json text.txt
    cmp one.json threads.json || fail "$threads threads give another file"
done
export OMP_NUM_THREADS=1
for n in 2 3; do
    expect 0 ranks $n $train 700 --out ranks.json text.txt.gz --json
    says out '"ranks": '$n 1
    says out '"documents": 90000'
    cmp one.json ranks.json || fail "$n ranks give another file"
done
expect 0 $train 700 --out llama3.json --pattern llama3 --special '<|pad|>' text.txt
says llama3.json '"Split"'
says llama3.json '"id": 699, "content": "<|pad|>"'
says llama3.json '"id": 698, "content": "<|endoftext|>"'
expect 0 $train 700 --out few.json few.txt
expect 0 $train 700 --out limit.json --limit 300000 text.txt
cmp few.json limit.json || fail 'a limit gives another file than its text'

mkdir -p in/sub
awk 'NR % 2 { first = $0 } !(NR % 2) { printf "{\"n\": {\"text\": \"%s\\n%s\\n\"}}\n", first, $0 }' little.txt >in/a.jsonl # a document to a line
gzip -c little.txt >in/sub/b.md.gz
: >in/c.bin
expect 0 $train 280 --out folder.json --field n.text --text-ending .md in
says out '1 other files in the folders were passed over'
expect 0 $train 280 --out files.json little.txt little.txt
cmp folder.json files.json || fail 'records and a packed file in a folder give another file than their text'

# refused CODE TEXT ARGUMENTS...: the sentence comes once, the older file stays, and nothing new. With `launch` before the binary as well.
refused() {
    code=$1 text=$2
    shift 2
    echo older >old.json
    ls >before
    # shellcheck disable=SC2086  # words
    expect "$code" $launch "$LAMINA" tokenizer train "$@"
    says err "$text" 1
    same "$(cat old.json)" older "the file"
    ls | cmp - before || fail "something was left behind"
}
: >out
: >err
: >before
launch=
refused 2 '--vocab N is missing' --out old.json text.txt
refused 2 'to entry 258' --vocab 257 --out old.json text.txt
refused 2 'is not a size' --vocab 300 --limit much --out old.json text.txt
refused 4 'nothing.txt' --vocab 300 --out old.json text.txt nothing.txt
refused 6 'nowhere: cannot be written to' --vocab 300 --out nowhere/new.json text.txt
launch='ranks 3'
refused 2 'did you mean qwen2' --vocab 300 --pattern qwen --out old.json text.txt
printf 'abab' >least.txt
refused 4 'good for 259 entries and not for 300' --vocab 300 --min-count 1 --out old.json least.txt
head -c 200000 text.txt.gz >broken.gz
refused 4 'broken.gz' --vocab 300 --out old.json text.txt broken.gz

# ranks that see different files must not count halves of two texts
mkdir d0 d1
cp few.txt d0/in.txt
sed 's/ and 7 / and 8 /' few.txt >d1/in.txt
expect 10 ranks 2 sh -c "cd d\${OMPI_COMM_WORLD_RANK:-\${PMI_RANK:-0}} && $train 300 --out x.json in.txt"
says err 'the text that was read is not the same on all ranks' 1
[ ! -e d0/x.json ] || fail 'a vocabulary of two texts was written'
