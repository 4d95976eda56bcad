# A tokenizer.json from end to end: ids and back through streams, a run that keeps its copy, and files and ids that are none.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
needs PCRE2
make_data
expect 0 "$LAMINA" tokenizer train --vocab 350 --out tok.json --document-start '^[a-z]' text.txt

# ids of a stream are those of the whole; what is decoded is what was encoded, also bytes that are no text
expect 0 "$LAMINA" tokenizer encode --tokenizer tok.json text.txt
cp out ids
same "$(wc -l <ids | tr -d ' ')" 1 "lines of one document"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do cat text.txt; done >long.txt # longer than a part
expect 0 "$LAMINA" tokenizer encode --tokenizer tok.json long.txt
cp out ids
expect 0 "$LAMINA" tokenizer decode --tokenizer tok.json ids
cmp out long.txt || fail "other text after decoding"
"$LAMINA" tokenizer encode --tokenizer tok.json <long.txt | cmp - ids || fail "stdin gives other ids"
awk 'BEGIN { for (i = 0; i < 256; i++) printf "%c%c", i, (i * 7) % 256 }' >bytes
printf 'caf\303\251 \360\237\230\200 <|endoftext|> x' >>bytes
expect 0 "$LAMINA" tokenizer encode --tokenizer tok.json bytes
cp out ids
expect 0 "$LAMINA" tokenizer decode --ends --tokenizer tok.json ids
cmp out bytes || fail "other bytes after decoding"
expect 0 "$LAMINA" tokenizer decode --tokenizer tok.json ids
says out '<|endoftext|>' 0
printf 'one two\n\nthree' | "$LAMINA" tokenizer encode --tokenizer tok.json --lines --json >out
says out '[]' 1
same "$(wc -l <out | tr -d ' ')" 3 "documents"
"$LAMINA" tokenizer decode --lines --tokenizer tok.json <out | cmp - "$(printf 'one two\n\nthree\n' >want && echo want)" || fail "other lines"
printf '\303' | "$LAMINA" tokenizer encode | "$LAMINA" tokenizer decode | cmp - "$(printf '\303' >want && echo want)" || fail "a lone byte is lost"

# ids and files that are none
for ids in 350 -1 x12 1e3 99999999999999999999 123456789012345678901234567890; do
    printf '1 2\n %s 3' "$ids" >bad
    expect 4 "$LAMINA" tokenizer decode --tokenizer tok.json bad
    says err 'bad:2'
done
expect 4 "$LAMINA" tokenizer encode --tokenizer none.json text.txt
says err 'none.json: cannot be opened'
expect 4 "$LAMINA" tokenizer encode --tokenizer tok.json none.txt
expect 3 "$LAMINA" tokenizer show words
printf '{"model": {"type": "Unigram"}}' >other.json
expect 4 "$LAMINA" tokenizer show other.json
says err "other.json: model.type: the model 'Unigram' is not read"
expect 0 "$LAMINA" tokenizer show tok.json bytes
says out 'vocabulary        350'
expect 0 "$LAMINA" tokenizer show --json tok.json
says out '"merges":93,'
"$LAMINA" tokenizer encode --tokenizer tok.json long.txt >/dev/full 2>err && fail "a full disk is not told"

# a run takes its vocabulary from the file, and keeps it
expect 0 "$LAMINA" data build --tokenizer tok.json --out t.h5 --valid-out v.h5 --valid-share 10% --document-start '^[a-z]' text.txt
make_config 12
sed 's/^tokenizer: .*/tokenizer: tok.json/' tiny.yaml >run.yaml
expect 0 ranks 2 "$LAMINA" train run.yaml
cmp tok.json runs/tiny/tokenizer.json || fail "no copy of the tokenizer in the run"
expect 0 "$LAMINA" generate tiny --prompt 'word1 is' --temperature 0 --max-tokens 30
cp out text
expect 0 "$LAMINA" eval tiny --json
cp out loss

mv tok.json away.json # the copy stands for it
expect 0 ranks 2 "$LAMINA" generate tiny --prompt 'word1 is' --temperature 0 --max-tokens 30
cmp text out || fail "other text with the copy of the tokenizer"
expect 0 "$LAMINA" eval tiny --json
cmp loss out || fail "other loss with the copy of the tokenizer"
cp -r runs/tiny/ckpt/step-00000012 alone
expect 4 "$LAMINA" generate alone --max-tokens 3
says err 'tok.json: cannot be opened'
cp runs/tiny/tokenizer.json alone/
expect 0 "$LAMINA" generate alone --prompt 'word1 is' --temperature 0 --max-tokens 30
cmp text out || fail "other text from a checkpoint that was moved with a copy"

# another file under the old name is not taken for it
expect 0 "$LAMINA" tokenizer train --vocab 350 --out tok.json --pattern llama3 --document-start '^[a-z]' text.txt
expect 3 "$LAMINA" generate tiny --max-tokens 3
says err 'tok.json: is another tokenizer than the one that the run was trained with'
expect 3 "$LAMINA" train run.yaml run.steps=14 --allow run.steps
says err 'is another tokenizer than the one'
mv away.json tok.json
expect 0 "$LAMINA" train run.yaml run.steps=14 --allow run.steps
sed 's/^tokenizer: .*/tokenizer: bytes/' run.yaml >bytes.yaml # and its token files are no others'
expect 4 "$LAMINA" train bytes.yaml run.name=b
says err 'vocabulary of 350'
