# The quickstart, ended at many moments by Ctrl-C, TERM and KILL: nobody is left behind, nothing half-made stays, and the same command comes to the
# same end. Apt and CMake are stand-ins; data, training and mpirun are real, on a small model. ROUNDS=100 tries more.
# label: full
# timeout: 1200
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
. "$LAMINA_ROOT/tests/e2e/lib/run.sh"
unset OMP_NUM_THREADS OMP_WAIT_POLICY OMPI_MCA_mpi_yield_when_idle # ./run sets them

# outcome: what must be the same
outcome() {
    (cd checkout && sha256sum data/gcide* && "$LAMINA" hash quickstart quickstart-copy)
    sed -n '/^=== validation/,$p' out
}

whole() {
    for trace in data/fetch data/*.part data/*.tmp-* data/*.building runs/*.part runs/*/lock runs/*/ckpt/*.tmp build/*.unfinished; do
        [ ! -e "checkout/$trace" ] || fail "$1: left $trace"
    done
    for trace in checkout/data/*.part checkout/data/*.tmp-* checkout/data/*.building checkout/runs/*.part checkout/runs/*/lock checkout/runs/*/ckpt/*.tmp; do
        [ ! -e "$trace" ] || fail "$1: left $trace"
    done
}

make_quickstart
begun=$(date +%s%N)
expect 0 run quickstart
took=$((($(date +%s%N) - begun) / 1000000))
same "$(sed -n 's/^\([0-9a-f]\{32\}\) .*quickstart.*/\1/p' out | sort -u | wc -l)" 1 "digests of the quickstart and its copy"
whole "undisturbed"
outcome >undisturbed
echo "undisturbed: $took ms"
expect 0 run quickstart
says err "runs/quickstart is complete"
outcome >again
cmp again undisturbed || fail "the second quickstart does not say the same"

# a text of the user, where the caller stands, by whatever name; another text by the same name is another one
mkdir "of mine"
cd "of mine"
gzip -dc ../machine/gcide.dict.dz | head -n 4000 >"-a text"
expect 0 run quickstart --text "-a text"
says out "evaluation at step 570 on text"
first=$(sed -n 's/^\([0-9a-f]\{32\}\)  text-[0-9a-f]*$/\1/p' out)
gzip -dc ../machine/gcide.dict.dz | tail -n 4000 >"-a text"
touch -d '2001-01-01' "./-a text"
expect 0 run --no-install quickstart "--text=-a text"
second=$(sed -n 's/^\([0-9a-f]\{32\}\)  text-[0-9a-f]*$/\1/p' out)
[ -n "$first" ] && [ -n "$second" ] && [ "$first" != "$second" ] || fail "another text, and the same digest: $first"
cd ..

seed=${SEED:-$(date +%s)}
echo "SEED=$seed"
moments=$(awk -v seed="$seed" -v n="${ROUNDS:-15}" -v took="$took" 'BEGIN { srand(seed); for (i = 0; i < n; i++) printf "%.3f\n", rand() * took / 1000 }')
round=0
for moment in $moments; do
    round=$((round + 1))
    case $((round % 3)) in 0) signal=Ctrl-C ;; 1) signal=TERM ;; 2) signal=KILL ;; esac
    what="$signal after $moment s (SEED=$seed, round $round)"
    make_quickstart
    started quickstart
    sleep "$moment"
    ended $signal
    cp out out.ended && cp err err.ended
    within 5 nothing_left || fail "$what: left $(left_over)"
    case $got in
    0) says out.ended "=== next" ;; # it was faster
    75 | 130 | 137 | 138 | 143) ;;
    *) fail "$what: exit code $got" ;;
    esac
    echo "$what: $got; $(grep '^===' out.ended | tail -n 1)"
    expect 0 run quickstart
    whole "$what"
    outcome >again
    cmp again undisturbed || fail "$what: not the same end"
done
