# info: complete, aligned, the same as JSON, at every instruction set, and nothing in it drives a terminal. --help has an example for each command.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"

expect 0 "$LAMINA" info
for word in lamina commit compiler build flags launcher MPI HDF5 OpenMP libyaml jansson xxHash zlib oneDNN CBLAS LAPACKE PCRE2 utf8proc zstd bzip2 xz host \
    processor cores threads memory 'instruction set' 'fp32 products' 'bf16 products' 'fp32 peak' 'bf16 peak' LAMINA_ISA LAMINA_DEADLINE NO_COLOR; do
    same "$(grep -cE "^$word   *[^ ]" out)" 1 "lines of $word"
done
# one column: every value begins at the same place
column=$(awk '/^HDF5_USE_FILE_LOCKING/ { print match($0, /  [^ ]/) + 2; exit }' out)
awk -v at="$column" '/^[^ ]/ && /  / && (substr($0, at, 1) == " " || substr($0, at - 1, 1) != " ") { print; bad = 1 } END { exit bad }' out ||
    fail "the lines above begin elsewhere than column $column"
[ "$column" -gt 20 ] || fail "no column"

for isa in generic avx2 avx512; do
    "$LAMINA" info | grep -q "here: .*$isa.*; not here\|here: .*$isa.*)\$" || continue
    code=0
    LAMINA_ISA=$isa "$LAMINA" info >out 2>err || code=$?
    [ "$code" -eq 10 ] || { same "$code" 0 "exit code of info with LAMINA_ISA=$isa"; says out 'bf16 peak'; } # 10: not this machine's
done

expect 0 env NO_COLOR="$(printf 'a\033[31mb')" "$LAMINA" info
! grep -q "$(printf '\033')" out || fail "the environment drives the terminal"

expect 0 "$LAMINA" info --launcher
same "$(wc -l <out)" 1 "lines of info --launcher"
# shellcheck disable=SC2046  # words
expect 0 $("$LAMINA" info --launcher) 2 echo here
says out 'here' 2

expect 0 env -u NO_COLOR "$LAMINA" info --json
if command -v python3 >/dev/null; then
    python3 - out <<'END' || fail "what info --json says"
import json, sys
with open(sys.argv[1]) as f:
    facts = json.load(f)
assert list(facts) == ["program", "libraries", "machine", "environment variables understood"], list(facts)
assert facts["environment variables understood"]["NO_COLOR"] is None
assert facts["environment variables understood"]["OMP_NUM_THREADS"] == "1"
assert "GFLOP/s" in facts["machine"]["fp32 peak"]
END
fi

# ---- help: each command has an example of itself that could be typed ----
expect 0 "$LAMINA" --help
sed -n '/^exit codes/q; s/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p; s/^  \([a-z][a-z]* [a-z]*\) [A-Z].*/\1/p' out | sort -u >commands
[ "$(wc -l <commands)" -ge 20 ] || fail "$(wc -l <commands) commands were found"
while read -r command; do
    # shellcheck disable=SC2086  # words
    expect 0 "$LAMINA" $command --help
    example=$(sed -n 's/^example: //p' out)
    case $example in
    "lamina $command" | "lamina $command "* | "mpirun -n "*" lamina $command "*) ;;
    *) fail "the example of '$command' is: $example" ;;
    esac
done <commands
