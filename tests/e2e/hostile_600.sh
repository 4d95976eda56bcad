# label: full
# timeout: 1800
# hostile_damage.sh, three hundred states and three hundred token files.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
. "$LAMINA_ROOT/tests/e2e/lib/hostile.sh"
make_run
damaged_states 1001 1300
damaged_tokens 2001 2300
