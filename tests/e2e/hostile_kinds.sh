# label: full
# timeout: 1800
# hostile_files.sh, with every kind of thing that can stand in place of a file.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
. "$LAMINA_ROOT/tests/e2e/lib/hostile.sh"
needs PCRE2
make_run
other_kinds 'folder nothing hole text'
