# lint.awk: what a C file of the house may not do. Run by lint.sh as: awk -f lint.awk map.txt FILES; prints "file:line: finding"
# and exits 1 when there is one. Written for any awk (Debian's smallest installation has mawk).

function finding(text) {
    print FILENAME ":" FNR ": " text
    failed = 1
}

BEGIN {
    n = split("strcpy strcat sprintf vsprintf gets atoi atol atof strtok rand srand alloca setlocale", names, " ")
    for (i = 1; i <= n; i++) banned[names[i]] = 1
    n = split("exit _exit _Exit quick_exit abort assert", names, " ")
    for (i = 1; i <= n; i++) ends_process[names[i]] = 1
    may_end["coordinator/main.c"] = may_end["common/base/check.c"] = 1
    may_end["coordinator/child.c"] = 1 # a forked child that could not become the program it was to be
    n = split("exp expf exp2 exp2f expm1 expm1f tanh tanhf log logf log2 log2f pow powf", names, " ")
    for (i = 1; i <= n; i++) libm[names[i]] = 1
    n = split("comm_rank comm_size comm_host comm_node_size comm_handle", names, " ") # they only read the communicator
    for (i = 1; i <= n; i++) accessor[names[i]] = 1
}

# ---- the table ----

FILENAME == ARGV[1] {
    sub(/#.*/, "")
    if ($0 !~ /:/) next
    row = $0
    sub(/:.*/, "", row)
    gsub(/[ \t]/, "", row)
    known[row] = 1
    n = split(substr($0, index($0, ":") + 1), names, " ")
    for (i = 1; i <= n; i++) may[row, names[i]] = 1
    next
}

# ---- files ----

FNR == 1 {
    folder = FILENAME
    sub(/\/[^\/]*$/, "", folder)
    is_test = folder ~ /^tests/
    is_header = FILENAME ~ /\.h$/
    in_comment = in_directive = in_table = depth = 0
    statement = doc = ""
    doc_is_fresh = 0
    if (!(folder in known)) finding("the folder " folder " has no row in tests/lint/map.txt")
}

FNR == 1001 { finding("more than 1000 lines: look for a missing noun") }

{
    split_line($0) # sets code, comment, comment_stands_alone
    if (in_directive || code ~ /^[ \t]*#/) {
        in_directive = $0 ~ /\\$/
        check_directive()
        next
    }
    check_calls()
    if (!is_test && !is_header) note_rows()
    if (is_header && !is_test) check_collective()
}

END {
    for (name in defined)
        if (!(name in row_of_table)) {
            print defined[name] ": " name " is in no table: nobody can name it and no contract test sees it"
            failed = 1
        }
    exit failed
}

# Cuts a line into code (strings emptied) and comment; a comment may have begun on an earlier line.
function split_line(line,    at, quote) {
    code = comment = ""
    comment_stands_alone = 1
    while (line != "") {
        if (in_comment) {
            at = index(line, "*/")
            if (at == 0) {
                comment = comment line
                return
            }
            comment = comment substr(line, 1, at - 1)
            line = substr(line, at + 2)
            in_comment = 0
            continue
        }
        if (!match(line, /["']|\/\*|\/\//)) {
            code = code line
            break
        }
        code = code substr(line, 1, RSTART - 1)
        quote = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (quote == "/*" || quote == "//") {
            if (code ~ /[^ \t]/) comment_stands_alone = 0
            if (quote == "//") {
                comment = comment line
                return
            }
            in_comment = 1
            continue
        }
        code = code quote
        while (line != "" && substr(line, 1, 1) != quote) line = substr(line, substr(line, 1, 1) == "\\" ? 3 : 2)
        code = code quote
        line = substr(line, 2)
    }
}

function allowed(row, item) {
    return ((row, item) in may) || ((row, "*") in may)
}

function check_directive(    target, target_folder) {
    if ($0 ~ /^[ \t]*#[ \t]*pragma[ \t]+omp/ && FILENAME != "common/base/parallel.c") finding("threads are opened in common/base/parallel.c only")
    if ($0 !~ /^[ \t]*#[ \t]*include/) return
    if (match($0, /<[^>]*>/)) {
        target = substr($0, RSTART, RLENGTH)
        if (!(target in known))
            finding(target " has no row in tests/lint/map.txt")
        else if (!allowed(target, folder) && !(is_test && ((target, "tests") in may)))
            finding(target " may not be included in " folder)
        return
    }
    if (!match($0, /"[^"]*"/)) return
    target = substr($0, RSTART + 1, RLENGTH - 2)
    if (index(target, "/") == 0) return # a file of the same folder
    if (target ~ /\.\./) {
        finding("include from the root of the project, not by ..")
        return
    }
    target_folder = target
    sub(/\/[^\/]*$/, "", target_folder)
    if (target_folder == folder) return
    if (target ~ /\/private\.h$/ && !is_test && index(folder, target_folder "/") != 1) finding(target " is private to its folder")
    if (!allowed(folder, target_folder) && !allowed(folder, target) && !(target_folder ~ /^common\// && allowed(folder, "common/*")))
        finding(folder " may not include " target " (tests/lint/map.txt)")
}

function check_calls(    rest, name, before) {
    rest = code
    before = ""
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
        name = substr(rest, RSTART, RLENGTH - 1)
        sub(/[ \t]+$/, "", name)
        before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
        rest = substr(rest, RSTART + RLENGTH)
        if (before == "." || before == ">") continue # a member
        if (name in banned) finding(name "() is not used here")
        if ((name in ends_process) && !is_test && !(FILENAME in may_end) && folder != "common/comm")
            finding(name "() ends the process: only main returns, and comm_abort")
        if ((name in libm) && folder == "worker/ops") finding(name "() of libm differs between C libraries: use common/math/vec.h")
    }
}

# What describes itself (an op, a rule, a command, ...) has a row in a table. The linker sees the other half, a row without a definition.
function note_rows(    rest) {
    if (code ~ /^const struct ([a-z_]+_desc|command) [a-z0-9_]+ = /) {
        split(code, words, " ")
        defined[words[4]] = FILENAME ":" FNR
    }
    if (code ~ /_table\[\] *= *\{/) in_table = 1
    if (!in_table) return
    rest = code
    while (match(rest, /&[a-z0-9_]+/)) {
        row_of_table[substr(rest, RSTART + 1, RLENGTH - 1)] = 1
        rest = substr(rest, RSTART + RLENGTH)
    }
    if (code ~ /\}/) in_table = 0
}

# "Collective:" stands above a prototype if and only if its first parameter is a communicator. A comment serves the unbroken run of
# prototypes below it; only the first of them answers for a word too many.
function check_collective(    i, c, done) {
    if (code !~ /[^ \t]/) {
        if (comment != "")
            doc = doc_is_fresh ? doc " " comment : comment
        else if (!in_comment)
            doc = ""
        doc_is_fresh = comment != "" || in_comment
        return
    }
    if (comment != "" && comment_stands_alone) {
        doc = comment
        doc_is_fresh = 1
    }
    done = ""
    for (i = 1; i <= length(code); i++) {
        c = substr(code, i, 1)
        if (c == "{") {
            if (depth++ == 0) {
                done = statement
                statement = ""
            }
        } else if (c == "}") {
            depth--
        } else if (depth == 0 && c == ";") {
            done = statement
            statement = ""
        } else if (depth == 0) {
            statement = statement c
        }
    }
    statement = statement " "
    if (done ~ /\(/) check_prototype(done, doc " " (comment_stands_alone ? "" : comment))
    if (done != "") doc_is_fresh = 0
}

function check_prototype(text, said,    name, collective, documented) {
    collective = text ~ /^[^(]*\([ \t]*(const[ \t]+)?struct[ \t]+comm[ \t]*\*[ \t]*[A-Za-z_0-9]*[ \t]*[,)]/
    documented = said ~ /Collective:/
    name = text
    sub(/[ \t]*\(.*/, "", name)
    sub(/.*[^A-Za-z0-9_]/, "", name)
    if (collective && !documented && !(name in accessor)) finding(name " takes a communicator first: say \"Collective:\" above it, and what must be equal")
    if (!collective && documented && doc_is_fresh) finding(name " is said to be collective but takes no communicator first")
}
