# timeout: 600
# data build: the same bytes at any number of ranks and threads, whatever the text is packed in; killed at any moment it goes on and ends in
# the same bytes; broken input, a full disk and a second build at the same time end with their codes and leave no half file.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
needs PCRE2

# 12 MB of text: three shards of a large file, beside small ones.
awk 'BEGIN { s = 7; for (i = 0; i < 260000; i++) { s = (s * 1103 + 12345) % 65536
    printf "word%d is the %s of item %d\n  and %d follows\n", s % 9973, (s % 3 ? "name" : "number"), s, i } }' >large.txt
mkdir -p texts/inner
for i in 1 2 3; do awk -v i=$i 'BEGIN { for (k = 0; k < 900; k++) printf "small%d item %d\n of file %d\n", k, k * i, i }' >texts/inner/$i.txt; done
awk 'BEGIN { for (i = 0; i < 5000; i++) printf "{\"id\": %d, \"text\": \"record %d\\nof \\u20ac and more\"}\n", i, i % 4000 }' | gzip >texts/records.jsonl.gz
gzip -k large.txt
echo binary >texts/picture.png

build() { # OUT RANKS THREADS TEXT: into OUT.h5 and OUT.v.h5
    OMP_NUM_THREADS=$3 ranks "$2" "$LAMINA" data build --out "$1.h5" --valid-out "$1.v.h5" --valid-share 5% --document-start '^[a-z]' "$4" texts
}

expect 0 build one 1 1 large.txt
says out '1 other files in the folders were passed over' 1
says out '1,000 documents' 0 # duplicates are counted per file: not all of them are in one
"$LAMINA" data show one.h5 one.v.h5 --verify >shown
says shown 'a text that came before' 2
[ ! -e one.h5.building ] || fail "the folder of segments stayed"
for how in "1 2" "2 1" "3 1" "2 2"; do
    # shellcheck disable=SC2086
    expect 0 build two $how large.txt
    cmp one.h5 two.h5 && cmp one.v.h5 two.v.h5 || fail "other bytes at $how ranks and threads"
done
expect 0 build two 2 1 large.txt.gz
cmp one.h5 two.h5 && cmp one.v.h5 two.v.h5 || fail "other bytes from the packed file"

# ended at every place where a segment is complete, and between the two names at the end: what is there is taken up
left=0
for fault in 2:build_segment@0:1 3:build_segment@0:2 2:build_segment@1:2 3:build_write@1:40 2:build_join@1:1 3:build_publish@0:1 2:build_publish@0:2; do
    n=${fault%%:*} fault=${fault#*:}
    rm -rf two.h5 two.v.h5 two.h5.building
    got=0
    LAMINA_FAULT=$fault=kill build two "$n" 1 large.txt >out 2>err || got=$?
    same "$got" "$killed" "exit code of a kill -9 at $fault"
    [ ! -e two.h5 ] || fail "$fault: a training file although the build was killed"
    ls two.h5.building/*.seg >/dev/null 2>&1 && left=$((left + 1))
    expect 0 build two $((5 - n)) 1 large.txt
    cmp one.h5 two.h5 && cmp one.v.h5 two.v.h5 || fail "other bytes after a kill at $fault"
done
[ "$left" -ge 5 ] || fail "only $left of the killed builds left segments: this test shows little"
says err 'taking up'

# killed at random moments, again and again, until it has come to its end
rm -f two.h5 two.v.h5
tries=0
while [ ! -e two.h5 ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "it never comes to its end"
    OMP_NUM_THREADS=1 "$LAMINA" data build --out two.h5 --valid-out two.v.h5 --valid-share 5% --document-start '^[a-z]' large.txt texts >out 2>err &
    pid=$!
    sleep "$((tries / 6)).$(((tries * 37 + 11) % 90 + 10))" # later and later: a slow machine needs a while to start
    kill -9 $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
done
[ -e two.v.h5 ] || fail "the training file is there and the validation file is not"
cmp one.h5 two.h5 && cmp one.v.h5 two.v.h5 || fail "other bytes after $tries tries"
rm -rf two.h5.building two.h5 two.v.h5

# a segment that was damaged meanwhile is encoded again; other settings begin anew and say so
LAMINA_FAULT=build_segment@0:3=kill "$LAMINA" data build --out two.h5 --valid-out two.v.h5 --valid-share 5% --document-start '^[a-z]' large.txt texts >out 2>err || true
for f in two.h5.building/*.train; do printf x | dd of="$f" bs=1 seek=100 conv=notrunc 2>/dev/null; done
expect 0 build two 1 1 large.txt
cmp one.h5 two.h5 || fail "a damaged segment was taken up"
LAMINA_FAULT=build_segment@0:3=kill "$LAMINA" data build --out two.h5 --document-start '^[a-z]' large.txt texts >out 2>err || true
expect 0 build two 2 1 large.txt
says err 'other settings' 1
cmp one.h5 two.h5 || fail "segments of other settings were taken up"

# a disk that is full: told on all ranks as one failure, nothing under the final name, and the same command goes on when there is room
rm -f two.h5 two.v.h5
for fault in build_write@1:2 build_segment@1:1 build_join@0:1 build_publish@0:1; do
    LAMINA_FAULT=$fault expect 6 build two 2 1 large.txt
    says err 'lamina: exit 6: ' 1
    [ ! -e two.h5 ] && [ ! -e two.v.h5 ] || fail "$fault left a file under the final name"
done
expect 0 build two 2 1 large.txt
cmp one.h5 two.h5 || fail "other bytes after failures"
rm -f two.h5
got=0
(ulimit -f 4096 && trap '' XFSZ && exec "$LAMINA" data build --out two.h5 --document-start '^[a-z]' large.txt) >out 2>err || got=$?
same "$got" 6 "exit code where files may have 2 MB"
[ ! -e two.h5 ] || fail "a file under the final name although it cannot be whole"
rm -rf two.h5.building

# more than 65,536 tokens: 32 bits each
"$LAMINA" tokenizer train --vocab 300 --out small.json texts >/dev/null
awk '/"id": 299,/ { sub(/}$/, "},"); print; for (i = 300; i < 70000; i++) printf "    {\"id\": %d, \"content\": \"<|x%d|>\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true}%s\n", i, i, i < 69999 ? "," : ""; next } { print }' small.json >big.json
echo 'the last of all: <|x69999|>' >wide.txt
expect 0 ranks 2 "$LAMINA" data build --tokenizer big.json --out two.h5 wide.txt texts
expect 0 "$LAMINA" data show two.h5
says out '(uint32), vocabulary 70,000' 1
"$LAMINA" data build --tokenizer big.json --out three.h5 wide.txt texts >/dev/null
cmp two.h5 three.h5 || fail "other bytes with a vocabulary read from a file"
rm -f two.h5

# broken input
head -c 300000 large.txt.gz >cut.txt.gz
expect 4 ranks 2 "$LAMINA" data build --out two.h5 --document-start '^[a-z]' cut.txt.gz
says err 'cut.txt.gz: ends too early, at byte 300000' 1
[ ! -e two.h5 ] || fail "a file from a broken archive"
rm -rf two.h5.building
printf '{"text": "a"}\n{"txt": "b"}\n{"text": 5}\n\n{"text": "\\ud800"}\n{"text": "c", "text": "d"}\n[1]\n{"text": "e"}\n' >bad.jsonl
expect 4 ranks 2 "$LAMINA" data build --out two.h5 bad.jsonl
says err 'bad.jsonl:2: the record has no field "text"; did you mean --field txt?' 1
expect 0 ranks 2 "$LAMINA" data build --out two.h5 --bad-records skip bad.jsonl
says out '5 records were skipped; the first: bad.jsonl:2: ' 1
says out '2 documents' 1
printf 'fine\n\377 not\n' >latin.txt
expect 4 "$LAMINA" data build --out two.h5 --bad-utf8 refuse latin.txt
says err 'latin.txt: byte 5 of the file is ff, which is not UTF-8' 1
expect 0 "$LAMINA" data build --out two.h5 --bad-utf8 replace latin.txt
says out '13 bytes of text' 1 # three bytes for one
expect 4 "$LAMINA" data build --out two.h5 'nothing*.txt'
says err 'no file matches' 1
expect 0 "$LAMINA" data build --out two.h5 'texts/inner/[12].txt'
says out '2 documents' 1

# two at the same time
LAMINA_FAULT=build_segment@0:1=hang "$LAMINA" data build --out two.h5 --document-start '^[a-z]' large.txt >/dev/null 2>&1 &
pid=$!
tries=0
until [ -n "$(ls two.h5.building/*.seg.tmp 2>/dev/null)" ] || [ $tries -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
expect 11 "$LAMINA" data build --out two.h5 --document-start '^[a-z]' large.txt
says err 'another process builds two.h5' 1
kill -9 $pid
wait $pid || true
expect 0 "$LAMINA" data build --out two.h5 --document-start '^[a-z]' large.txt
