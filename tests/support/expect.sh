# Sourced by scripts that have a word `fail`, which says why and ends them.

# expect CODE COMMAND...: runs it with its output in ./out and ./err.
expect() {
    want=$1
    shift
    got=0
    "$@" >out 2>err || got=$?
    [ "$got" -eq "$want" ] || fail "exit code $got instead of $want: $*"
}
