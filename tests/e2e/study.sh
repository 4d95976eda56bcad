# configs/study: every method is a usable configuration; made small, the study trains what is missing and nothing else, and writes its table.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
cp -r "$LAMINA_ROOT/configs/study" study
rm -f study/results.jsonl study/RESULTS.md study/study.svg

# --- as shipped ---
same "$(awk 'NF && !/^#/ { print $1 }' study/rates.txt | sort)" "$(cd study/methods && ls | sed 's/\.yaml//' | sort)" "methods with rates"
for method in study/methods/*.yaml; do
    cat study/setting.yaml "$method" >whole.yaml
    expect 0 "$LAMINA" check whole.yaml
done
expect 2 sh study/study.sh adamw adamww
says err 'adamww: no such method; there are adamw sgd' 1
[ ! -e runs ] || fail "something was started"

# --- small: two methods; of SGD's rates one hardly moves and one diverges ---
small() {
    cat >study/setting.yaml <<END2
run:       {name: study, steps: $1}
model:     {family: llama, width: 16, layers: 1, heads: 2, mlp: 32, context: 16}
tokenizer: bytes
data:
  train: [{name: t, path: t.h5}]
  valid: [{name: v, path: v.h5}]
batch:      {sequences: 8, micro: 2}
precision:  {compute: fp32}
checkpoint: {every: end}
eval:       {every: $1, batches: 1}
END2
}
small 6
printf '# METHOD RATES\nadamw 4e-3\nsgd 1e-6 1 1e6\n' >study/rates.txt
sed -i 's/clip: 1.0/clip: none/' study/methods/sgd.yaml
results=study/results.jsonl
expect 0 sh study/study.sh
same "$(wc -l <$results)" 8 "results of 4 rates and 2 x 2 further seeds"
same "$(grep -c '"method":"sgd",.*"rate":1,' $results)" 3 "results of SGD's best rate"
same "$(grep -c '"diverged":false,"state_bytes_per_parameter":8.0,' $results)" 3 "AdamW's state"
same "$(grep -c '"rate":1e6,.*"loss":null,"bits_per_byte":null,"diverged":true,"state_bytes_per_parameter":4.0,' $results)" 1 "what diverged"
says study/RESULTS.md 'All 8 runs are done.' 1
says study/RESULTS.md '| sgd | 4.00 | 1 | ' 1
says study/RESULTS.md '| is SGD far behind Adam? | sgd − adamw | -1.' 1
says study/RESULTS.md '| adamw | 8.00 | 4e-3 (last of its range) | ' 1
says study/RESULTS.md '| 1: **' 1
says study/RESULTS.md '| 1e6: diverged |' 1
says study/study.svg '<polyline' 2
says study/study.svg 'class="diverged"' 1
says study/study.svg '</svg>' 1
if command -v python3 >/dev/null; then
    python3 -c 'import json, statistics, sys
lines = [json.loads(l) for l in open("study/results.jsonl")]
adamw = [l["loss"] for l in lines if l["method"] == "adamw"]
wanted = "| %.4f ± %.4f |" % (statistics.mean(adamw), statistics.stdev(adamw))
assert wanted in open("study/RESULTS.md").read(), wanted' || fail "mean and spread are others"
fi

# --- what stands is not run again: on another machine by results.jsonl alone, here by the run folders as well ---
cp $results whole.jsonl
mv runs elsewhere
expect 0 sh study/study.sh
[ ! -e runs ] || fail "results that stand were run again"
mv elsewhere runs
folder=$(echo runs/study/sgd-*)
before=$(cat runs/study/*/*/events.jsonl | wc -l)
grep -v '"seed":3,' whole.jsonl >$results
expect 0 sh study/study.sh --collect sgd
same "$(grep -c '"seed":3,' $results)" 1 "lines that came back"
same "$(cat runs/study/*/*/events.jsonl | wc -l)" "$before" "events"
grep -v '"method":"sgd",.*"seed":2,' whole.jsonl >$results
rm -r "$folder/sgd-lr1-seed2" "$folder/sgd-sweep"
expect 0 sh study/study.sh
says err 'point 1 of 1, sgd-lr1-seed2' 1
says err 'point ' 1
same "$(sed 's/,"seconds.*//' $results | sort)" "$(sed 's/,"seconds.*//' whole.jsonl | sort)" "results, all but the time they took"

# --- anew, and with other settings ---
expect 0 sh study/study.sh --again adamw
says err 'point 1 of 1, adamw-lr4e-3' 1
same "$(wc -l <$results)" 8 "results after --again"
same "$(sed 's/,"seconds.*//' $results | sort)" "$(sed 's/,"seconds.*//' whole.jsonl | sort)" "results, all but the time they took"
small 30000
sh study/study.sh adamw >out 2>err </dev/null &
process=$!
waited=0
until [ "$(cat runs/study/*/adamw-lr4e-3/metrics.jsonl | grep -c '"step":9,' || true)" -ge 1 ]; do
    waited=$((waited + 1))
    [ "$waited" -lt 600 ] || fail "no ninth step after a minute"
    sleep 0.1
done
kill -TERM "$process"
got=0
wait "$process" || got=$?
same "$got" 75 "exit code after TERM"
same "$(cat runs/study/*/*/events.jsonl | grep -c '"event":"stopped"')" 1 "runs that saved and stopped"
same "$(wc -l <$results)" 8 "results after a run that was stopped"
says study/RESULTS.md '**0 of 8 runs are done.**' 1
