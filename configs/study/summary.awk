# summary.awk: RESULTS.md on stdout and the figure in the file `svg`, from three inputs: lines "METHOD SETTINGS" with the settings whose results
# count, rates.txt, results.jsonl. Seeds are 1 to SEEDS. study.sh calls it.

function text_of(key) { return match($0, "\"" key "\":\"[^\"]*\"") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5) : "" }
function word_of(key) { return match($0, "\"" key "\":[^,}]*") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) : "" }

FNR == 1 { file++ }
/^#/ || NF == 0 { next }
file == 1 { settings[$1] = $2; next }
file == 2 {
    method[++methods] = $1
    rates[$1] = NF - 1
    for (i = 2; i <= NF; i++) rate[$1, i - 1] = $i
    next
}
word_of("settings") == settings[text_of("method")] {
    run = text_of("method") SUBSEP word_of("rate") SUBSEP word_of("seed")
    known[run] = 1
    loss[run] = word_of("diverged") == "true" ? "diverged" : word_of("loss")
    bits[run] = word_of("bits_per_byte")
    state[text_of("method")] = word_of("state_bytes_per_parameter")
    if (!((text_of("isa")) in isa)) machines = machines (machines == "" ? "" : ", ") text_of("isa")
    isa[text_of("isa")] = 1
    steps = word_of("steps")
    if (loss[run] != "diverged") tokens = word_of("tokens")
}

# --- What came out ----------------------------------------------------------------------------------------------------------------

function is_loss(run) { return known[run] && loss[run] != "diverged" }

# Seed 1 alone chooses the rate: best[m] is its number among the method's, 0 while there is none.
function choose(m,    i) {
    best[m] = 0
    for (i = 1; i <= rates[m]; i++) {
        if (!is_loss(m SUBSEP rate[m, i] SUBSEP 1)) continue
        if (best[m] == 0 || loss[m, rate[m, i], 1] + 0 < loss[m, rate[m, best[m]], 1] + 0) best[m] = i
    }
}

function at_best(m, seed) { return m SUBSEP rate[m, best[m]] SUBSEP seed }

# Mean and standard deviation (of a sample) over the seeds of value[1..n]: "1.234 ± 0.005".
function spread(value, n, digits, sign,    i, mean, square) {
    if (n == 0) return ""
    for (i = 1; i <= n; i++) mean += value[i] / n
    for (i = 1; i <= n; i++) square += (value[i] - mean) ^ 2
    return sprintf("%" sign "." digits "f", mean) (n > 1 ? sprintf(" ± %." digits "f", sqrt(square / (n - 1))) : "")
}

function over_seeds(m, from,    seed, n, value) {
    for (seed = 1; seed <= SEEDS; seed++)
        if (is_loss(at_best(m, seed))) value[++n] = from == "bits" ? bits[at_best(m, seed)] : loss[at_best(m, seed)]
    return spread(value, n, from == "bits" ? 3 : 4, "")
}

# Seed by seed, as both began with the same weights and saw the same text.
function difference(a, b,    seed, n, value) {
    for (seed = 1; seed <= SEEDS; seed++)
        if (best[a] && best[b] && is_loss(at_best(a, seed)) && is_loss(at_best(b, seed)))
            value[++n] = loss[at_best(a, seed)] - loss[at_best(b, seed)]
    return n == 0 ? "" : spread(value, n, 4, "+") (n < SEEDS ? sprintf(" (%d of %d seeds)", n, SEEDS) : "")
}

function done(m,    i, n, seed) {
    for (i = 1; i <= rates[m]; i++) n += known[m, rate[m, i], 1]
    for (seed = 2; seed <= SEEDS && best[m]; seed++) n += known[at_best(m, seed)]
    return n + 0
}

function cell(m, i,    run) {
    run = m SUBSEP rate[m, i] SUBSEP 1
    if (i > rates[m]) return ""
    if (!known[run]) return rate[m, i] ": –"
    if (!is_loss(run)) return rate[m, i] ": diverged"
    return rate[m, i] ": " (i == best[m] ? sprintf("**%.4f**", loss[run]) : sprintf("%.4f", loss[run]))
}

# --- The page ---------------------------------------------------------------------------------------------------------------------

function question(words, a, b,    d) {
    if ((d = difference(a, b)) != "") printf "| %s | %s − %s | %s |\n", words, a, b, d
}

function page(    k, m, i, most, ran, all) {
    for (k = 1; k <= methods; k++) {
        m = method[k]
        ran += done(m)
        all += rates[m] + SEEDS - 1
        if (rates[m] > most) most = rates[m]
    }
    print "# What came out\n"
    print "Written by `./run study` from results.jsonl; [README.md](README.md) says what was asked and how. Validation loss in nats per token after"
    printf "%s steps (%.2f million tokens), on %s.", steps, tokens / 1e6, machines
    print ran < all ? sprintf(" **%d of %d runs are done.**\n", ran, all) : sprintf(" All %d runs are done.\n", all)
    print "| method | state, bytes per parameter | best rate | loss, " SEEDS " seeds | bits per byte | beside adamw |\n|---|---|---|---|---|---|"
    for (k = 1; k <= methods; k++) {
        m = method[k]
        if (!best[m]) continue
        printf "| %s | %.2f | %s%s | %s | %s | %s |\n", m, state[m], rate[m, best[m]], \
            best[m] == 1 || best[m] == rates[m] ? " (last of its range)" : "", \
            over_seeds(m, "loss"), over_seeds(m, "bits"), m == "adamw" ? "" : difference(m, "adamw")
    }
    print "\nThe rate was chosen by seed 1; mean ± standard deviation over seeds. Differences are taken seed by seed: negative is better.\n"
    print "| question | difference | nats per token |\n|---|---|---|"
    question("is SGD far behind Adam?", "sgd", "adamw")
    question("is one second moment per tensor (per row in the head) enough?", "adalayer", "adamw")
    question("is adaptivity in head and norms enough?", "hybrid", "adamw")
    question("does it need the norms?", "hybrid-no-norms", "hybrid")
    question("does it need the head?", "hybrid-no-head", "hybrid")
    question("is Lion near Adam?", "lion", "adamw")
    question("is Signum?", "signum", "adamw")
    question("what does next to no state cost?", "adafactor", "adamw")
    question("what do 8-bit moments cost?", "adam8", "adamw")
    question("is Muon ahead?", "muon", "adamw")
    print "\n![loss over rate](study.svg)\n\nRate: loss with seed 1.\n"
    printf "| method |"
    for (i = 1; i <= most; i++) printf " |"
    printf "\n|---|"
    for (i = 1; i <= most; i++) printf "---|"
    print ""
    for (k = 1; k <= methods; k++) {
        printf "| %s |", method[k]
        for (i = 1; i <= most; i++) printf " %s |", cell(method[k], i)
        print ""
    }
}

# --- The figure: loss over the rate as a multiple of each method's best --------------------------------------------------------

function log10(x) { return log(x) / log(10) }
function x_of(m, i) { return LEFT + 18 + (log10(rate[m, i] / rate[m, best[m]]) - first) / (last - first) * (WIDE - 36) }
function y_of(value) { return TOP + 24 + (high - value) / (high - low) * (HIGH - 40) }
function color(k) { return hues[(k - 1) % n_hues + 1] }

# From the lowest loss to what all methods reach at their best rate, and half as much again: what lies higher is marked at the top.
function frame(    k, m, i, at, top) {
    low = first = 1e9
    top = last = -1e9
    for (k = 1; k <= methods; k++) {
        m = method[k]
        if (!best[m]) continue
        at = loss[at_best(m, 1)] + 0
        if (at < low) low = at
        if (at > top) top = at
        for (i = 1; i <= rates[m]; i++) {
            at = log10(rate[m, i] / rate[m, best[m]])
            if (at < first) first = at
            if (at > last) last = at
        }
    }
    high = top + (top > low ? (top - low) / 2 : 0.1)
    if (last - first < 1) { first -= 0.5; last += 0.5 }
}

function axes(    i, at, step, y) {
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 480\" font-family=\"sans-serif\" font-size=\"12\">\n" >svg
    printf "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n" >svg
    printf "<clipPath id=\"plot\"><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/></clipPath>\n", LEFT, TOP, WIDE, HIGH >svg
    printf "<text x=\"%d\" y=\"22\" font-size=\"15\">Validation loss, nats per token, over the learning rate (seed 1)</text>\n", LEFT >svg
    printf "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#ddd\"/>\n", LEFT, TOP, WIDE, HIGH >svg
    step = high - low > 0.8 ? 0.2 : high - low > 0.4 ? 0.1 : 0.05
    for (at = step * int(low / step); at <= high; at += step) {
        y = y_of(at)
        if (y > TOP + HIGH || y < TOP) continue
        printf "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>", LEFT, LEFT + WIDE, y, y >svg
        printf "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.2f</text>\n", LEFT - 6, y + 4, at >svg
    }
    for (i = int(2 * first) - 1; i <= 2 * last; i++) { # half-decades
        if (i < 2 * first) continue
        printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.3g</text>\n", LEFT + 18 + (i / 2 - first) / (last - first) * (WIDE - 36), \
            TOP + HIGH + 18, 10 ^ (i / 2) >svg
    }
    printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">rate, as a multiple of the method's best</text>\n", LEFT + WIDE / 2, TOP + HIGH + 40 >svg
}

function curve(k,    m, i, run, points, marks, dash) {
    m = method[k]
    dash = k > n_hues ? " stroke-dasharray=\"6 3\"" : ""
    for (i = 1; i <= rates[m]; i++) {
        run = m SUBSEP rate[m, i] SUBSEP 1
        if (!known[run]) continue
        if (!is_loss(run))
            marks = marks sprintf("<path class=\"diverged\" d=\"M%.1f %dl8 8m0 -8l-8 8\" stroke=\"%s\" stroke-width=\"2\"/>\n", \
                x_of(m, i) - 4, TOP + 4, color(k))
        else {
            points = points sprintf("%.1f,%.1f ", x_of(m, i), y_of(loss[run]))
            if (loss[run] > high)
                marks = marks sprintf("<path class=\"above\" d=\"M%.1f %dl5 9h-10z\" fill=\"none\" stroke=\"%s\"/>\n", \
                    x_of(m, i), TOP + 4, color(k))
            else
                marks = marks sprintf("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\" fill=\"%s\"/>\n", \
                    x_of(m, i), y_of(loss[run]), color(k))
        }
    }
    printf "<polyline clip-path=\"url(#plot)\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\"%s points=\"%s\"/>\n%s", \
        color(k), dash, points, marks >svg
    printf "<path d=\"M%d %dh24\" stroke=\"%s\" stroke-width=\"1.6\"%s/>", LEFT + WIDE + 12, TOP + 20 * k - 8, color(k), dash >svg
    printf "<text x=\"%d\" y=\"%d\">%s, %.3f at %s</text>\n", LEFT + WIDE + 42, TOP + 20 * k - 4, m, loss[at_best(m, 1)], rate[m, best[m]] >svg
}

function picture(    k) {
    LEFT = 56; TOP = 40; WIDE = 600; HIGH = 380
    n_hues = split("#4878a8 #707070 #3a8a4a #c04020 #c08a20 #a84878 #2a9a9a #8a5aa8", hues, " ")
    frame()
    axes()
    for (k = 1; k <= methods; k++)
        if (best[method[k]]) curve(k)
    printf "<text x=\"%d\" y=\"%d\" fill=\"#707070\">× diverged   △ above the drawing</text>\n</svg>\n", LEFT + WIDE + 12, TOP + HIGH >svg
}

END {
    for (k = 1; k <= methods; k++) {
        choose(method[k])
        any = any || best[method[k]]
    }
    page()
    if (any) picture()
}
