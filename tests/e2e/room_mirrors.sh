# Which archives the clean room takes from apt's configuration: both forms of its files, the archive's own only.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
of() { awk -v archive='(debian|ubuntu)-archive' -f "$LAMINA_ROOT/tests/room/lib/mirrors.awk" "$@"; }

cat >a.list <<'END'
# deb http://commented/debian bookworm main
deb-src http://source/debian bookworm main
deb http://plain/debian bookworm main contrib # a word
deb [ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] http://signed/debian-security bookworm-security main
deb [signed-by=/etc/apt/keyrings/theirs.gpg] http://theirs/debian bookworm main
  deb	http://plain/debian	bookworm-updates	main
END
printf '%s\n' "Types: deb deb-src" "# http://commented" "URIs: http://one/debian http://two/debian" "Suites: trixie" " trixie-updates" "Components: main" \
    "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg" "" "Types: deb" "URIs: http://off/debian" "Suites: trixie" "Components: main" "Enabled: no" "" \
    "Types: deb" "URIs: http://key/debian" "Suites: trixie" "Components: main" "Signed-By:" " -----BEGIN PGP PUBLIC KEY BLOCK-----" " ." " mQ" "" \
    "types: deb-src" "uris: http://source/debian" "suites: trixie" "" "types: deb" "uris: http://last/debian" "suites: trixie" "components: main" >b.sources

expect 0 of a.list b.sources
cat >wanted <<'END'
http://plain/debian bookworm - main contrib
http://signed/debian-security bookworm-security /usr/share/keyrings/debian-archive-keyring.gpg main
http://plain/debian bookworm-updates - main
http://one/debian trixie /usr/share/keyrings/debian-archive-keyring.gpg main
http://one/debian trixie-updates /usr/share/keyrings/debian-archive-keyring.gpg main
http://two/debian trixie /usr/share/keyrings/debian-archive-keyring.gpg main
http://two/debian trixie-updates /usr/share/keyrings/debian-archive-keyring.gpg main
http://last/debian trixie - main
END
cmp out wanted || fail "not the archives that the files name"
