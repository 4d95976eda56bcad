# timeout: 900
# State and token files damaged by plan, their checksums and manifests made right by whoever did it: no crash, no hang, 5 or 4, the place named.
# hostile_600.sh does it six hundred times.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
. "$LAMINA_ROOT/tests/e2e/lib/hostile.sh"
make_run
damaged_states 1 24
damaged_tokens 1 24
