# Progress, colours and escapes: on a real terminal, or where LAMINA_PROGRESS=line asks for them, and nowhere else: not in a pipe, not in a file,
# not under a launcher that hands its ranks a terminal.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
command -v script >/dev/null || skip "no script(1) to make a terminal"
unset NO_COLOR LAMINA_PROGRESS
export TERM=xterm
escape=$(printf '\033') return=$(printf '\r')

# on_terminal COMMAND...: what it writes to a terminal, in ./seen, whose own ends of lines are taken off.
on_terminal() {
    rm -f code
    script -qefc "$* ; echo \$? >code" /dev/null </dev/null | sed "s/$return\$//" >seen || true
    same "$(cat code)" 0 "exit code of $*"
}
plain() { ! grep -q "$escape\|$return" "$1" || fail "$2: an escape or a carriage return: $(grep -m 1 "$escape\|$return" "$1" | cat -v)"; }

make_data
make_config 30
train() { echo "'$LAMINA' train tiny.yaml --fresh"; }

# a person's terminal: one line that updates itself, an evaluation in bold
on_terminal "$(train)"
grep -q "$return$escape\[K" seen || fail "no line that updates itself"
grep -q "$escape\[1mevaluation" seen || fail "no bold evaluation"
on_terminal "NO_COLOR=1 $(train)"
! grep -q "$escape\[1m" seen || fail "NO_COLOR is not obeyed"
on_terminal "NO_COLOR= $(train)"
grep -q "$escape\[1m" seen || fail "an empty NO_COLOR counts"
on_terminal "TERM=dumb $(train)"
plain seen "TERM=dumb"
on_terminal "LAMINA_PROGRESS=plain NO_COLOR=1 $(train)"
plain seen "LAMINA_PROGRESS=plain"

# a launcher on a terminal, and every other place
on_terminal "$launcher 2 $(train)"
plain seen "under a launcher on a terminal"
expect 0 "$LAMINA" train tiny.yaml --fresh
plain out "a file"
plain err "a file"
expect 0 ranks 2 "$LAMINA" train tiny.yaml --fresh
plain out "a launcher into a file"
plain err "a launcher into a file"
"$LAMINA" train tiny.yaml --fresh 2>&1 | cat >piped
plain piped "a pipe"

# what was asked for comes
LAMINA_PROGRESS=line expect 0 "$LAMINA" train tiny.yaml --fresh
grep -q "$return$escape\[K" out || fail "LAMINA_PROGRESS=line into a file is not obeyed"

# the other commands that work for long, and those that print
for command in "data build --out x.h5 text.jsonl" "eval tiny" "bench --help" "sweep tiny.yaml --over run.seed=1,2 run.steps=2 run.name=grid" \
    "generate tiny --prompt word --max-tokens 5" "show tiny" "info"; do
    # shellcheck disable=SC2086  # words
    expect 0 "$LAMINA" $command
    plain out "$command"
    plain err "$command"
    case $command in sweep*) continue ;; esac # starts its ranks by itself
    # shellcheck disable=SC2086
    expect 0 ranks 1 "$LAMINA" $command
    plain out "$command under a launcher"
    rm -f x.h5
done
