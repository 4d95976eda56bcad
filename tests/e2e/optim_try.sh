# `lamina optim try`: rules on small problems against numbers worked out here, and what every kind of bad problem is told.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
needs LAPACKE

# tried RULE [FORMULA]: p.json by the rule is what awk computes: one number per line, step after step.
tried() {
    expect 0 "$LAMINA" optim try "$1" --problem p.json --json
    grep -Eqx '\{"after": \[(\[[-+.e0-9, ]+\](, )?)+\]\}' out || fail "not the JSON that was promised"
    sed 's/^{"after": //; s/[^-+.e0-9]/ /g' out | tr -s ' ' '\n' | grep . >numbers
    awk "$2" >expected
    awk 'NR == FNR { want[NR] = $1; n = NR; a = $1 < 0 ? -$1 : $1; if (a > most) most = a; next }
         { d = $1 - want[FNR]; if (d < 0) d = -d
           if (!(d <= 3e-7 * most)) { print "number " FNR ": " $1 " is not " want[FNR]; bad = 1 } }
         END { if (FNR != n) print FNR " numbers instead of " n; exit bad || FNR != n }' expected numbers >&2 || fail "$1: other numbers"
}

# ---- numbers ----

# SGD with heavy momentum and L2 decay on a matrix; lr times the schedule
cat >p.json <<'END_JSON'
{"rule": "sgd", "hyper": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.5}, "shape": [2, 2], "theta": [1, -2, 3, 0.5],
 "grads": [[1, 0, -1, 2], [0.25, -3, 0, 1], [1, 1, 1, 1]], "schedule": [1, 0.5, 0.25]}
END_JSON
tried sgd 'BEGIN { split("1 -2 3 0.5", x); split("1 0.5 0.25", f)
    split("1 0 -1 2 0.25 -3 0 1 1 1 1 1", g)
    for (t = 1; t <= 3; t++) for (i = 1; i <= 4; i++) {
        m[i] = 0.9 * m[i] + g[4 * (t - 1) + i] + 0.5 * x[i]
        x[i] -= 0.1 * f[t] * m[i]; printf "%.17g\n", x[i] } }'
expect 0 "$LAMINA" optim try sgd --problem p.json
says out 'step 1: 0.850000024 -1.89999998 2.95000005 0.274999976' 1
says out 'step ' 3
expect 0 ranks 2 "$LAMINA" optim try sgd --problem p.json # once, and without MPI
says out 'step ' 3

# the same settings spelt as a map; a word as JSON has to write it; defaults by an empty map
sed 's/"momentum": 0.9/"momentum": {"beta": 0.9, "form": "heavy"}, "decay": "l2"/' p.json >q.json
expect 0 "$LAMINA" optim try sgd --problem q.json
same "$(tail -n 1 out)" "$("$LAMINA" optim try sgd --problem p.json | tail -n 1)" 'momentum as a map'

# AdamW on a vector
cat >p.json <<'END_JSON'
{"hyper": {"lr": 0.01, "betas": [0.8, 0.9], "eps": 1e-8, "weight_decay": 0.1}, "shape": [3], "theta": [1, -2, 3],
 "grads": [[1e-4, -2, 0.5], [1, 1, 1], [-1, 3e-5, 0.25], [0, 0, 0]]}
END_JSON
tried adamw 'BEGIN { split("1 -2 3", x); split("1e-4 -2 0.5 1 1 1 -1 3e-5 0.25 0 0 0", g)
    for (t = 1; t <= 4; t++) for (i = 1; i <= 3; i++) { k = g[3 * (t - 1) + i]
        m[i] = 0.8 * m[i] + 0.2 * k; v[i] = 0.9 * v[i] + 0.1 * k * k
        x[i] = x[i] * (1 - 0.001) - 0.01 * (m[i] / (1 - 0.8 ^ t)) / (sqrt(v[i] / (1 - 0.9 ^ t)) + 1e-8); printf "%.17g\n", x[i] } }'

# Lion keeps every weight on a grid of lr
cat >p.json <<'END_JSON'
{"hyper": {"lr": 0.125}, "shape": [1, 3], "theta": [0, 1, 2], "grads": [[1, 0, -3], [-20, 0, 0], [0, 0, 1e-30]], "schedule": [1, 2, 0]}
END_JSON
tried lion 'BEGIN { print "-0.125\n1\n2.125\n0.125\n1\n2.375\n0.125\n1\n2.375" }'

# Adalayer needs a sum over the tensor: one second moment for all elements
cat >p.json <<'END_JSON'
{"hyper": {"lr": 0.1}, "shape": [3, 2], "theta": [0, 0, 0, 0, 0, 0], "grads": [[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, -1]]}
END_JSON
tried adalayer 'BEGIN { split("1 2 3 4 5 6 6 5 4 3 2 -1", g)
    for (t = 1; t <= 2; t++) { s = 0; for (i = 1; i <= 6; i++) s += g[6 * (t - 1) + i] ^ 2
        v = 0.95 * v + 0.05 * s / 6
        for (i = 1; i <= 6; i++) { m[i] = 0.9 * m[i] + 0.1 * g[6 * (t - 1) + i]
            x[i] -= 0.1 * (m[i] / (1 - 0.9 ^ t)) / sqrt(v / (1 - 0.95 ^ t)); printf "%.17g\n", x[i] } } }'
sed 's/"lr": 0.1/"lr": 0.1, "cautious": true/' p.json >q.json
expect 0 "$LAMINA" optim try adalayer --problem q.json
says out 'step 2: '

# elements far below the largest keep their digits: Adam does not care about scale
echo '{"hyper": {"lr": 1, "eps": 0}, "shape": [4], "theta": [0, 0, 0, 0], "grads": [[1, 1e-6, -1e-9, 1e-11]]}' >p.json
tried adam 'BEGIN { print "-1\n-1\n1\n-1" }'

# the weights to evaluate are printed, the trained ones go on
cat >p.json <<'END_JSON'
{"hyper": {"lr": 1, "average": 0.75}, "shape": [2], "theta": [4, 1], "grads": [[1, 0], [0, 2], [-1, 1]], "report": "eval"}
END_JSON
tried sgd 'BEGIN { split("4 1", x); split("4 1", a); split("1 0 0 2 -1 1", g)
    for (t = 1; t <= 3; t++) for (i = 1; i <= 2; i++) {
        x[i] -= g[2 * (t - 1) + i]; a[i] = 0.75 * a[i] + 0.25 * x[i]; printf "%.17g\n", a[i] } }'

cat >p.json <<'END_JSON'
{"hyper": {"lr": 0.1, "betas": [0.8, 0.9]}, "shape": [2], "theta": [4, 1], "grads": [[1, -2], [3, 2], [-1, 1]], "report": "eval", "schedule": [1, 1, 0.5]}
END_JSON
formula='BEGIN { split("4 1", x); split("4 1", y); split("4 1", z); split("1 -2 3 2 -1 1", g); split("1 1 0.5", f)
    for (t = 1; t <= 3; t++) { sum += 0.01; c = 0.01 / sum # the largest rate so far, squared
        for (i = 1; i <= 2; i++) { k = g[2 * (t - 1) + i]; v[i] = 0.9 * v[i] + 0.1 * k * k
            z[i] -= 0.1 * f[t] * k / sqrt(v[i] / (1 - 0.9 ^ t)); x[i] += c * (z[i] - x[i]); y[i] = 0.2 * z[i] + 0.8 * x[i]; printf "%.17g\n", SHOWN[i] } } }'
tried schedule-free "$(printf '%s' "$formula" | sed 's/SHOWN/x/')"
sed 's/, "report": "eval"//' p.json >q.json
mv q.json p.json
tried schedule-free "$(printf '%s' "$formula" | sed 's/SHOWN/y/')"

# the second gradient of Sophia comes when the problem says so, whatever its own rhythm
cat >p.json <<'END_JSON'
{"hyper": {"lr": 0.01, "betas": [0.9, 0.95], "rho": 0.5, "batch_tokens": 10, "weight_decay": 0}, "shape": [2, 1], "theta": [1, 2],
 "grads": [[1, -2], [3, 2], [-1, 1], [0.5, 8]], "sampled": [[2, 1], null, [1, -3], null]}
END_JSON
tried sophia 'BEGIN { split("1 2", x); split("1 -2 3 2 -1 1 0.5 8", g); split("2 1 0 0 1 -3 0 0", s)
    for (t = 1; t <= 4; t++) for (i = 1; i <= 2; i++) { k = 2 * (t - 1) + i
        if (t % 2 == 1) h[i] = 0.95 * h[i] + 0.05 * s[k] ^ 2
        m[i] = 0.9 * m[i] + 0.1 * g[k]; u = (m[i] < 0 ? -m[i] : m[i]) / (5 * h[i] + 1e-15); if (u > 1) u = 1
        x[i] -= 0.01 * (m[i] < 0 ? -u : u); printf "%.17g\n", x[i] } }'
refused_sampled='"shape": [1], "theta": [1], "grads": [[1], [1]], "sampled": [[1], [1, 2]]'

# null is none where a rule knows what to do without a rate: the relative step of Adafactor, min(1e-2, 1 / sqrt(t)) times RMS(theta)
echo '{"hyper": {"variant": "hf", "lr": null}, "shape": [2], "theta": [3, 4], "grads": [[2, -5]]}' >p.json
tried adafactor 'BEGIN { a = 0.01 * sqrt(12.5); printf "%.17g\n%.17g\n", 3 - a, 4 + a }'

# state in bytes: what is stored is what the next step reads (m = 127 / 128 of its block has no code)
echo '{"hyper": {"lr": 1, "momentum": 0.5, "state": {"dtype": "q8", "min_size": 0}}, "shape": [1, 2], "theta": [0, 0], "grads": [[1, 0.9921875], [0, 0]]}' >p.json
expect 0 "$LAMINA" optim try sgd --problem p.json
says out 'step 1: -1 -0.9921875' 1
says out 'step 2: -1.5 -1.4886719' 1 # and half of 0.99296875, the nearest

# the keys of every rule, with the defaults that most have: no rule is without them
echo '{"hyper": {"weight_decay": 0, "decay_mode": "lr", "cautious": false, "cautious_decay": false}, "shape": [3, 2], "theta": [1, 2, 3, 4, 5, 6], "grads": [[1, 2, 3, 4, 5, 6], [3, -1, 2, 2, 5, -2]]}' >p.json
echo '{"hyper": {"weight_decay": 0}, "shape": [3, 2], "theta": [1, 2, 3, 4, 5, 6], "grads": [[1, 2, 3, 4, 5, 6], [3, -1, 2, 2, 5, -2]]}' >q.json
for rule in $("$LAMINA" optim list | cut -d ' ' -f 1); do
    expect 0 "$LAMINA" optim try "$rule" --problem q.json
    mv out absent
    expect 0 "$LAMINA" optim try "$rule" --problem p.json
    cmp -s out absent || fail "$rule: defaults that are written out are not those of keys left out"
done

# what JSON cannot say is null, and is said in words
echo '{"hyper": {"lr": 1e6}, "shape": [1], "theta": [3e38], "grads": [[-3e38]]}' >p.json
expect 0 "$LAMINA" optim try sgd --problem p.json --json
says out '{"after": [[null]]}'
says err 'p.json: from step 1 on there are weights that fp32 cannot hold' 1

# ---- bad problems ----

# refused TEXT JSON [RULE]
refused() {
    printf '%s' "$2" >bad.json
    expect 4 "$LAMINA" optim try "${3:-adamw}" --problem bad.json --json
    says err "$1"
    says err 'bad.json'
    [ ! -s out ] || fail 'half an answer on stdout'
}

good='"shape": [2], "theta": [1, 2], "grads": [[1, 2]]'
refused 'not JSON' '{"hyper": {}, '
refused 'not JSON' ''
refused 'not JSON' "{\"hyper\": {}, \"shape\": [2], \"theta\": [NaN, 2], \"grads\": [[1, 2]]}"
refused 'duplicate' "{\"hyper\": {}, \"hyper\": {}, $good}"
refused 'duplicate' "{\"hyper\": {\"lr\": 1, \"lr\": 2}, $good}"
refused 'expected an object' '[1]'
refused 'hyper must be given' "{$good}"
refused 'theta must be given' '{"hyper": {}, "shape": [2], "grads": [[1, 2]]}'
refused 'gradz: there is no such key; did you mean grads?' '{"hyper": {}, "shape": [2], "theta": [1, 2], "gradz": [[1, 2]]}'
refused "bad.json: hyper:1:2: bets: there is no such key; did you mean 'betas'?" "{\"hyper\": {\"bets\": [0.9, 0.9]}, $good}"
refused "'adamw' has no such key; adafactor has it" "{\"hyper\": {\"update_clip\": 2}, $good}"
refused 'betas[1]: expected a number from 0 to 0.999999' "{\"hyper\": {\"betas\": [0.9, 1.5]}, $good}"
refused 'write it without quotes' "{\"hyper\": {\"lr\": \"0.1\"}, $good}"
refused 'lr' "{\"hyper\": {\"lr\": null}, $good}"
refused 'this key belongs to a rule of a run' "{\"hyper\": {\"clip\": \"none\"}, $good}"
refused 'expected a map of keys' "{\"hyper\": [1], $good}"
refused 'nesterov needs a momentum' "{\"hyper\": {\"nesterov\": true}, $good}" sgd
refused 'rule: the problem is for lion, the command line names adamw' "{\"rule\": \"lion\", \"hyper\": {}, $good}"
refused 'rule: expected the name' "{\"rule\": 3, \"hyper\": {}, $good}"
refused 'shape: expected' '{"hyper": {}, "shape": [1, 1, 1], "theta": [1], "grads": [[1]]}'
refused 'shape: expected' '{"hyper": {}, "shape": 2, "theta": [1, 2], "grads": [[1, 2]]}'
refused 'shape[1]: expected an integer' '{"hyper": {}, "shape": [1, 0], "theta": [], "grads": [[]]}'
refused 'shape[0]: expected an integer' '{"hyper": {}, "shape": [2.5], "theta": [1, 2], "grads": [[1, 2]]}'
refused 'shape: 1000000000 elements; at most 1000000' '{"hyper": {}, "shape": [1000000, 1000], "theta": [1], "grads": [[1]]}'
refused 'theta: expected 2 numbers, as the shape has, not 3' '{"hyper": {}, "shape": [2], "theta": [1, 2, 3], "grads": [[1, 2]]}'
refused 'theta[1]: expected a number, not a string' '{"hyper": {}, "shape": [2], "theta": [1, "2"], "grads": [[1, 2]]}'
refused 'theta[0]: 1e+39 is beyond the range of fp32' '{"hyper": {}, "shape": [2], "theta": [1e39, 2], "grads": [[1, 2]]}'
refused 'grads: expected at least one step' '{"hyper": {}, "shape": [2], "theta": [1, 2], "grads": []}'
refused 'grads: expected a list' '{"hyper": {}, "shape": [2], "theta": [1, 2], "grads": 1}'
refused 'grads[1]: expected 2 numbers, as the shape has, not 1' '{"hyper": {}, "shape": [2], "theta": [1, 2], "grads": [[1, 2], [1]]}'
refused 'grads[0]: expected a list of 2 numbers, not a number' '{"hyper": {}, "shape": [2], "theta": [1, 2], "grads": [1, 2]}'
refused 'grads[0][1]: expected a number, not null' '{"hyper": {}, "shape": [2], "theta": [1, 2], "grads": [[1, null]]}'
refused 'schedule: expected one entry for each of the 1 steps of grads, not 2' "{\"hyper\": {}, $good, \"schedule\": [1, 1]}"
refused 'schedule[0]: expected a factor' "{\"hyper\": {}, $good, \"schedule\": [-1]}"
refused 'sampled: expected one entry' "{\"hyper\": {}, $good, \"sampled\": []}"
refused 'report: expected "eval"' "{\"hyper\": {}, $good, \"report\": \"x\"}"
refused 'sampled[1]: expected 1 numbers, as the shape has, not 2' "{\"hyper\": {}, $refused_sampled}" sophia
# keys that this rule has no use for are not passed over
refused 'sampled: adamw observes no second gradient' "{\"hyper\": {}, $good, \"sampled\": [null]}"
refused 'projection: adamw' "{\"hyper\": {}, \"shape\": [1, 2], \"theta\": [1, 2], \"grads\": [[1, 2]], \"projection\": [[1]]}"
refused 'report: with these settings adamw' "{\"hyper\": {}, $good, \"report\": \"eval\"}"
# limits
awk 'BEGIN { printf "{\"hyper\": {}, \"shape\": [1000], \"theta\": [0"; for (i = 1; i < 1000; i++) printf ",0"
    printf "], \"grads\": [[]"; for (i = 1; i < 1001; i++) printf ",[]"; print "]}" }' >bad.json
expect 4 "$LAMINA" optim try adamw --problem bad.json
says err 'grads: 1001 steps of 1000 elements'
awk 'BEGIN { for (i = 0; i < 17 * 1048576 / 64; i++) print "                                                               " }' >bad.json
expect 4 "$LAMINA" optim try adamw --problem bad.json
says err 'bad.json: is larger than'

awk 'BEGIN { printf "{\"hyper\": {\"block\": 1000000}, \"shape\": [40000], \"theta\": [0"; for (i = 1; i < 40000; i++) printf ",0"
    printf "], \"grads\": [[0"; for (i = 1; i < 40000; i++) printf ",0"; print "]]}" }' >bad.json
expect 4 "$LAMINA" optim try shampoo --problem bad.json
says err 'bad.json: with these settings shampoo needs '
says err 'of memory for this shape'

expect 4 "$LAMINA" optim try adamw --problem missing.json
says err 'missing.json: cannot be opened: No such file'
expect 4 "$LAMINA" optim try adamw --problem .
expect 2 "$LAMINA" optim try adamv --problem p.json
says err 'no optimizer "adamv"; did you mean "adamw"?' 1
expect 2 "$LAMINA" optim try adamw
says err '--problem FILE must be given' 1

# ---- the others of the family ----

expect 0 "$LAMINA" optim list
says out 'lion           elementwise      '
says out 'adafactor      row+column sums  '
expect 0 "$LAMINA" optim list --json
says out '"class": "tensor sums"'
for rule in $("$LAMINA" optim list | cut -d ' ' -f 1); do
    expect 0 "$LAMINA" optim show "$rule"
    for part in source class decay 'a step' 'keys and defaults' 'state with these defaults' '768 x 3072'; do says out "$part"; done
    expect 0 "$LAMINA" optim show "$rule" --json
    says out "\"name\": \"$rule\""
    says out '"equations": "' # never null
done
expect 0 "$LAMINA" optim show adamw --json
says out '"state_bytes_per_element": 8.0' 2
expect 2 "$LAMINA" optim show loin
says err 'no optimizer "loin"; did you mean "lion"?' 1
