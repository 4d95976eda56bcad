# Sourced by bad_yaml.sh and bad_yaml_ranks.sh, after e2e.sh: configurations that are wrong in one way each. bad.list says of every one
# where it is wrong ("" where nothing can be read at all) and words of what must be said: FILE|LINE:COLUMN|WORDS
bad() { printf '%s|%s|%s\n' "$1" "$2" "$3" >>bad.list; }

# edit FILE LINE:COLUMN WORDS SED: tiny.yaml with one thing changed
edit() {
    sed "$4" tiny.yaml >"$1.yaml"
    ! cmp -s tiny.yaml "$1.yaml" || fail "$1: the edit changes nothing"
    bad "$1.yaml" "$2" "$3"
}

# before FILE LINE:COLUMN WORDS BYTES: BYTES (as printf has them), then tiny.yaml
before() {
    # shellcheck disable=SC2059  # the bytes are the format
    { printf "$4" && cat tiny.yaml; } >"$1.yaml"
    bad "$1.yaml" "$2" "$3"
}

# text FILE LINE:COLUMN WORDS BYTES: BYTES alone
text() {
    # shellcheck disable=SC2059
    printf "$4" >"$1.yaml"
    bad "$1.yaml" "$2" "$3"
}

# times_over N TEXT
times_over() { awk -v n="$1" -v text="$2" 'BEGIN { for (i = 0; i < n; i++) printf "%s", text }'; }

make_numbers() {
    edit octal 1:41 "not '012': write it without the leading 0" 's/steps: 8/steps: 012/'
    edit octal_o 1:41 "not '0o10': write it in decimal digits" 's/steps: 8/steps: 0o10/'
    edit hex 1:41 "not '0x10': write it in decimal digits" 's/steps: 8/steps: 0x10/'
    edit underscore 1:41 "not '1_000': write the digits without separators" 's/steps: 8/steps: 1_000/'
    edit sexagesimal 1:41 "not '1:30'" 's/steps: 8/steps: 1:30/'
    edit exponent 1:41 "not '1e3': write all digits" 's/steps: 8/steps: 1e3/'
    edit negative 1:41 "of at least 1, not '-5'" 's/steps: 8/steps: -5/'
    edit huge 1:41 "not '99999999999999999999'" 's/steps: 8/steps: 99999999999999999999/'
    edit quoted 1:41 'write it without quotes' 's/steps: 8/steps: "8"/'
    edit nothing 1:41 'but nothing is given' 's/steps: 8/steps: /'
    edit list_for_number 1:41 'not a list' 's/steps: 8/steps: [8]/'
    edit word 10:36 "optimizer.defaults.lr: expected a number from 0 to 1e+06, or 'none', not 'fast'" 's/lr: 4e-3, schedule/lr: fast, schedule/'
    edit nan 10:36 "not '.nan'" 's/lr: 4e-3, schedule/lr: .nan, schedule/'
    edit infinite 10:36 "not '.inf'" 's/lr: 4e-3, schedule/lr: .inf, schedule/'
    edit overflow 10:36 "not '1e999'" 's/lr: 4e-3, schedule/lr: 1e999, schedule/'
    edit null 10:36 "not '~'" 's/lr: 4e-3, schedule/lr: ~, schedule/'
    edit yes 2:102 "expected false or true, not 'yes'" 's/context: 32/context: 32, tie:   yes/'
    edit block_scalar 8:14 'write it in one line' 's/^batch: .*/batch:\n  sequences: |\n    14\n  micro: 2/'
}

make_shapes() {
    edit tab 8:1 'a tab cannot stand here; indent with spaces' 's/^batch: .*/batch:\n\tsequences: 14\n  micro: 2/'
    edit indent 11:2 'did not find expected key' 's/^ *rules:/ rules:/'
    edit open_quote 1:19 'that does not end' "s/name: tiny/name: 'tiny/"
    edit open_bracket 10:52 'that does not end' '11,$d; s/schedule: main}/schedule: [main/'
    edit open_brace 15:33 'this does not end' 's/batches: 2}/batches: {/'
    edit closed_twice 7:36 "did not find expected ',' or '}'" 's/micro: 2/micro: 2]/'
    edit never_closed 14:11 "that began in line 13: did not find expected ',' or '}'" 's/match: all}/match: all/'
    edit colon 10:32 'a space must follow the colon' 's/lr: 4e-3, schedule/lr:4e-3, schedule/'
    edit twice 1:34 "'seed' is given twice; it stands already in line 1" 's/seed: 3/seed: 3, seed: 4/'
    edit twice_far 16:1 "'eval' is given twice; it stands already in line 15" '$s/$/\neval: {every: 6}/'
    edit anchor 1:6 "anchor '&base'" 's/^run: */run: \&base /'
    edit alias 1:41 "alias '*n'" 's/steps: 8/steps: *n/'
    edit merge 1:17 "alias '*base'" 's/{name: tiny/{<<: *base, name: tiny/'
    edit tag 1:41 "tag 'tag:yaml.org,2002:int'" 's/steps: 8/steps: !!int 8/'
    edit own_tag 1:12 "tag '!python/object'" 's/^run: */run:       !python\/object /'
    edit documents 15:1 'a second document begins here' 's/^eval:/---\neval:/'
    edit complex_key 1:15 'a key must be a word, not a list' 's/{name: tiny/{? [a]\n  : 1, name: tiny/'
    edit map_wanted 14:13 'expected a map of keys, not a single value' 's/^checkpoint: .*/checkpoint: 4/'
    before directive 1:1 'YAML directives are not used here' '%%YAML 1.1\n---\n'
    text list_at_top 1:1 'expected a map of keys, not a list' '%s\n' # replaced below: printf takes a leading dash for an option
    printf -- '- run\n- model\n' >list_at_top.yaml
    text scalar_at_top 1:1 'expected a map of keys, not a single value' 'hello\n'
    text only_comments 1:1 'expected a map of keys, but nothing is given' '# run\n# model\n'
    text empty 1:1 'expected a map of keys, but nothing is given' ''
}

make_words() {
    edit typo 1:25 "run.sead: there is no such key; did you mean 'seed'?" 's/seed: 3/sead: 3/'
    edit typo_of_section 14:1 "checkpiont: there is no such key; did you mean 'checkpoint'?" 's/^checkpoint:/checkpiont:/'
    edit typo_in_rule 12:75 "did you mean 'row'?" 's/granularity: row/granularity: rows/'
    edit typo_of_optimizer 10:25 "did you mean 'adamw'?" 's/optimizer: adamw/optimizer: adamv/'
    edit wrong_place 14:24 "checkpoint.steps: there is no such key; it is one of 'run'" 's/keep: 3/steps: 3/'
    before wrong_level 1:1 "seed: there is no such key; it is one of 'run'" 'seed: 4\n'
    edit no_tensor 12:7 "rule 'head' matches no tensor" 's/role: head/role: haed/'
    edit outside 1:19 "'../x' cannot name a run folder" 's/name: tiny/name: ..\/x/'
    edit absolute 1:19 "'/etc/x' cannot name a run folder" 's/name: tiny/name: \/etc\/x/'
    edit long_name 1:19 'cannot name a run folder' "s/name: tiny/name: $(times_over 65 a)/"
    edit long_value 1:19 'expected a text of at most 1023 bytes' "s/name: tiny/name: $(times_over 5000 a)/"
    edit long_key 1:5013 "did not find expected ',' or '}'" "s/name: tiny/$(times_over 5000 a): tiny/"
    edit escape_unknown 1:21 'found unknown escape character' 's/name: tiny/name: "a\\qb"/'
    edit escape_nul 1:19 'contains the control character 0x00' 's/name: tiny/name: "a\\0b"/'
    edit escape_terminal 1:19 'contains the control character 0x1B' 's/name: tiny/name: "a\\e[31mb"/'
    edit escape_direction 1:19 'contains the invisible character U+202E' 's/name: tiny/name: "a\\u202eb"/'
}

make_bytes() {
    before bom 1:1 'begins with a byte order mark; save it as UTF-8 without one' '\357\273\277'
    before latin1 1:6 'byte 0xE9 is not UTF-8' '# caf\351\n'
    before overlong 1:3 'byte 0xC0 is not UTF-8' '# \300\257\n'
    before surrogate 1:3 'byte 0xED is not UTF-8' '# \355\240\200\n'
    before nul 1:4 'a NUL byte stands in the text' '# a\000\n'
    before terminal 1:3 'the invisible character U+001B' '# \033]0;owned\007\n'
    before delete 1:3 'the invisible character U+007F' '# \177\n'
    before direction 1:3 'the invisible character U+202E' '# \342\200\256evil\n'
    before line_separator 1:3 'the invisible character U+2028' '# \342\200\250run: {name: other}\n'
    before carriage_return 1:4 'a carriage return without a line feed' '# a\rrun: {name: other}\n'
    text utf16 1:1 'the text is UTF-16; save it as UTF-8' '\377\376r\000u\000n\000'
    text utf16_bare 1:2 'a NUL byte stands in the text' 'r\000u\000n\000'
    text binary 1:1 'byte 0x89 is not UTF-8' '\211HDF\r\n\032\n\000\000'
    sed 's/steps: 8/steps: fast/; s/$/\r/' tiny.yaml >crlf_word.yaml
    bad crlf_word.yaml 1:41 "not 'fast'"
}

make_sizes() {
    { times_over 1000 '[' && times_over 1000 ']'; } >deep.yaml
    bad deep.yaml 1:65 'more than 64 lists and maps stand inside each other'
    awk 'BEGIN { for (i = 0; i < 1000; i++) printf "%*sa:\n", i, "" }' >deep_block.yaml
    bad deep_block.yaml 65:65 'more than 64 lists and maps stand inside each other'
    yes 'a: 1 # and so on' | head -c 104857600 >big.yaml
    bad big.yaml 61681:17 'more than 1 MiB of configuration; is this the right file?'
    truncate -s 104857600 holes.yaml
    bad holes.yaml 1:1048577 'more than 1 MiB of configuration; is this the right file?'
    times_over 1001 '- a
' >rows.yaml
    bad rows.yaml 1001:3 'more than 1000 values in one list'
}

make_unreadable() {
    mkdir folder.yaml
    mkfifo pipe.yaml
    ln -s loop.yaml loop.yaml
    ln -s nowhere dangling.yaml
    bad folder.yaml '' 'cannot be read: it is a folder'
    bad pipe.yaml '' 'cannot be read: it is not a regular file'
    bad loop.yaml '' 'cannot be read: Too many levels of symbolic links'
    bad dangling.yaml '' 'cannot be read: No such file or directory'
    bad missing.yaml '' 'cannot be read: No such file or directory'
    bad /dev/zero '' 'cannot be read: it is not a regular file'
    bad /dev/null '' 'cannot be read: it is not a regular file'
    bad /proc/self/mem '' 'cannot be read: Input/output error'
    [ "$(id -u)" -eq 0 ] && return # may read everything
    cp tiny.yaml closed.yaml
    chmod 0 closed.yaml
    bad closed.yaml '' 'cannot be read: Permission denied'
}

make_bad_files() {
    make_config 8
    : >bad.list
    make_numbers
    make_shapes
    make_words
    make_bytes
    make_sizes
    make_unreadable
}

# Arguments of the command line that are wrong in one way each: ARGUMENT|COLUMN of the caret|WORDS
make_bad_overrides() {
    cat >overrides.list <<'END'
optimizer.rules.hed.lr=3|17|optimizer.rules has no row named 'hed'; did you mean 'head'?
optimizer.rules.head=3|17|'head' is a row; set one of its keys
run.steps=fast|11|run.steps: expected an integer of at least 1, not 'fast'
run.steps=|11|but nothing is given
run.steps=012|11|write it without the leading 0
run.steps=[1|11|that does not end
run.steps={|11|this does not end
run.steps=*x|11|alias '*x'
run.name=../x|10|cannot name a run folder
run.name="a\e[31m"|10|contains the control character 0x1B
run.name=a: b|10|expected a text of at most 1023 bytes, not a map
run.stepz=3|5|did you mean 'steps'?
runn.steps=3|1|did you mean 'run'?
run=3|5|expected a map of keys, not a single value
model.width.x=3|13|model.width is a single value and has no key 'x'
a..b=1|3|a word of the path is empty; write key.path=value
.run=1|1|a word of the path is empty; write key.path=value
END
}

# soon COMMAND...: within a second of processor time (the kernel sees to it), which a busy machine does not stretch; a sanitizer does.
soon() { sh -c 'ulimit -t "$1" && shift && exec "$@"' sh "${CK_TIMEOUT_MULTIPLIER:-1}" "$@"; }

# told FILE LINE:COLUMN WORDS: ./err tells it once, at its place, with a caret below it, and nothing that a terminal obeys.
told() {
    [ "$(LC_ALL=C tr -d '\11\12\40-\176\200-\377' <err | wc -c)" -eq 0 ] || fail "$1: control characters are printed"
    says err "$3" 1
    if [ -z "$2" ]; then
        says err "$1: cannot be read" 1
        return
    fi
    says err "$1:$2: " 1
    [ "$1" = empty.yaml ] || caret "${2#*:}"
}

# caret COLUMN: one line of ./err holds a caret alone, below that column of the line before it; or, of a line cut at its left, somewhere.
caret() {
    awk -v column="$1" '/^ +\^$/ { n++; if (line !~ /^  \.\.\./ && length($0) != column + 2) wrong = 1 } { line = $0 }
        END { exit !(n == 1 && !wrong) }' err || fail "the caret does not stand below column $1"
}
