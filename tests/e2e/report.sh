# The page about a run that was stopped and gone on with, about two runs, and about what is left of a damaged one: complete, well-formed,
# with the numbers of the run, and without anything from elsewhere.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 12

# Every element is closed, in order. Attributes hold no '>', which the page always writes as an entity.
well_formed() {
    awk '
        { page = page $0 "\n" }
        END {
            sub(/^<!DOCTYPE html>/, "", page)
            while (match(page, /<[^>]*>/)) {
                text = substr(page, 1, RSTART - 1)
                tag = substr(page, RSTART, RLENGTH)
                page = substr(page, RSTART + RLENGTH)
                if (text ~ /</) bad("a < stands in " text)
                if (tag ~ /\/>$/) continue
                name = tag
                gsub(/^<\/?|[ \n>].*$|>$/, "", name)
                if (name !~ /^[a-z0-9]+$/) bad("no element: " tag)
                if (tag !~ /^<\//) {
                    open[++depth] = name
                    continue
                }
                if (open[depth] != name) bad(tag " closes " open[depth])
                depth--
            }
            if (depth != 0) bad(open[depth] " is not closed")
            if (page ~ /[<>]/) bad("something stands behind the page")
        }
        function bad(what) { print what; exit 1 }' "$1" >why || fail "$1: $(cat why)"
}

# Nothing is loaded, nothing runs, and links stay in the page.
self_contained() {
    for word in 'http:' 'https:' '<script' '<link' '<img' '<iframe' ' src=' 'url(' '@import' ' onload' ' onclick' 'xlink:'; do
        says "$1" "$word" 0
    done
    [ "$(grep -o 'href="[^"]*"' "$1" | grep -cv '^href="#')" = 0 ] || fail "a link leaves $1"
    says "$1" "default-src 'none'" 1
}

last_loss() { awk -F'"loss":' '/"kind":"step"/ { split($2, n, ","); x = n[1] } END { printf "%.4f", x }' "$1"; }

expect 75 ranks 2 "$LAMINA" train tiny.yaml --until 5
expect 0 ranks 3 "$LAMINA" train tiny.yaml
expect 0 "$LAMINA" train tiny.yaml run.name=other run.steps=9 'optimizer.rules=[{name: everything, match: all}]'

# one run
expect 0 "$LAMINA" report tiny
says out 'runs/tiny/report.html: ' 1
page=runs/tiny/report.html
well_formed $page
self_contained $page
says $page "$(last_loss runs/tiny/metrics.jsonl)"
says $page 'going on from step 5 of 12'
says $page '>complete<'
for part in 'Bits per byte' 'Loss' 'Gradient norm' 'Speed' 'Learning rate' 'Time of a step'; do says $page "aria-label=\"$part\"" 1; done
mpi=$("$LAMINA" info | sed -n 's/^MPI  *\([A-Za-z ]*[A-Za-z]\) v*[0-9].*/\1/p') # "Open MPI", "MPICH"
[ -n "$mpi" ] || fail "info does not name the MPI"
for part in 'arena step' 'sent, reduce' 'slowest rank' '<summary>2 evaluations' 'family: llama' 'head</span> adalayer' "$mpi"; do
    says $page "$part"
done
says $page 'could be read' 0
says runs/tiny/run.json '"state_bytes_per_parameter"'

# two runs, in a file of the user's choice; without one, beside the first
expect 0 "$LAMINA" report tiny runs/other --out both.html
well_formed both.html
self_contained both.html
for run in tiny other; do says both.html "$(last_loss runs/$run/metrics.jsonl)"; done
says both.html 'tiny, validation, v'
says both.html 'everything</span> adamw'
expect 0 "$LAMINA" report other tiny
[ -s runs/report.html ] || fail "no page of two runs"

# a link in the way is replaced, not followed
echo kept >target
ln -sf ../../target $page
expect 0 "$LAMINA" report tiny
same "$(cat target)" kept "the file behind a link"
[ -f $page ] && [ ! -L $page ] || fail "the page is still a link"

# what a killed or broken disk leaves: the page tells, and shows the rest
size=$(wc -c <runs/tiny/metrics.jsonl)
head -c $((size - 40)) runs/tiny/metrics.jsonl >cut
{ sed -n 1,3p cut; head -c 200 /dev/zero; echo; echo '{"kind":"step","step":'; sed -n '4,$p' cut; } >runs/tiny/metrics.jsonl
printf '</pre><script>' >runs/tiny/config.yaml
rm runs/tiny/run.json
expect 0 "$LAMINA" report tiny
well_formed $page
self_contained $page
says $page 'metrics.jsonl: 2 lines do not read' 1
says $page 'metrics.jsonl: the last line is cut' 1
says $page 'There is no run.json' 1
says $page '&lt;/pre&gt;&lt;script&gt;' 1
rm runs/tiny/metrics.jsonl runs/tiny/events.jsonl
expect 0 "$LAMINA" report tiny
well_formed $page
says $page 'There is no metrics.jsonl' 1

expect 2 "$LAMINA" report otter
says err 'did you mean "other"?' 1
expect 6 "$LAMINA" report other --out nowhere/page.html
