# mirrors.awk: what apt's lists of sources say, of both forms, one line for each address and suite: URI SUITE KEYRING COMPONENT...
# awk -v archive=KEYRINGS -f mirrors.awk sources.list *.list *.sources: only those signed by a keyring whose name matches `archive` (or by none
# of their own), and only binary packages. KEYRING is - where apt's trusted ones serve.

function out(uri, suite, keyring, components) {
    if (keyring == "") keyring = "-"
    if (keyring != "-" && keyring !~ archive) return
    if (!seen[uri, suite]++) print uri, suite, keyring, components
}

# --- stanzas: "Field: value", continued by lines that begin with a blank; empty lines between

function stanza_end(   i, j, n, m, uris, suites) {
    if (field["types"] ~ /(^| )deb( |$)/ && tolower(field["enabled"]) != "no" && field["signed-by"] !~ /BEGIN PGP/) {
        n = split(field["uris"], uris, " ")
        m = split(field["suites"], suites, " ")
        for (i = 1; i <= n; i++) for (j = 1; j <= m; j++) out(uris[i], suites[j], field["signed-by"], field["components"])
    }
    delete field
}

function trimmed(text) {
    gsub(/^[ \t]+|[ \t\r]+$/, "", text)
    gsub(/[ \t]+/, " ", text)
    return text
}

FNR == 1 { if (in_stanzas) stanza_end(); in_stanzas = FILENAME ~ /\.sources$/ }
in_stanzas && /^#/ { next }
in_stanzas && /^[ \t]*\r?$/ { stanza_end(); next }
in_stanzas && /^[ \t]/ { field[name] = trimmed(field[name] " " $0); next }
in_stanzas && /:/ {
    name = tolower(trimmed(substr($0, 1, index($0, ":") - 1)))
    field[name] = trimmed(substr($0, index($0, ":") + 1))
    next
}
in_stanzas { next }

# --- lines: "deb [options] URI suite component..."

/^[ \t]*deb[ \t]/ {
    sub(/#.*/, "")
    sub(/^[ \t]*deb[ \t]+/, "")
    keyring = ""
    if (match($0, /^\[[^]]*\]/)) {
        options = substr($0, 2, RLENGTH - 2)
        sub(/^\[[^]]*\][ \t]*/, "")
        if (match(options, /signed-by=[^ \t]+/)) keyring = substr(options, RSTART + 10, RLENGTH - 10)
    }
    uri = $1
    suite = $2
    $1 = $2 = ""
    out(uri, suite, keyring, trimmed($0))
}

END { if (in_stanzas) stanza_end() }
