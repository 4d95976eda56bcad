# data.sh: texts from Debian's archive, and token files from texts. Sourced by ../run.
# shellcheck shell=sh

lamina=build/release/lamina

# begin_data: the folder data, for this ./run alone; what a killed one left there goes.
begin_data() {
    alone data
    mkdir -p data
    rm -rf data/fetch data/*.part data/*.tmp-*
}

# download PACKAGE...: into the current folder, as whoever runs this. Where the machine's lists do not serve, lists of our own are fetched beside.
download() {
    work apt-get -q download "$@" >log 2>&1 && return 0
    cat >apt.conf <<END
Dir::State::Lists "$PWD/lists";
Dir::Cache "$PWD/cache";
Acquire::Languages "none";
END
    mkdir -p lists/partial cache/archives/partial
    work env APT_CONFIG="$PWD/apt.conf" apt-get -q update >>log 2>&1 &&
        work env APT_CONFIG="$PWD/apt.conf" apt-get -q download "$@" >>log 2>&1
}

# unpack PACKAGE...: what Debian's packages hold, below data/fetch, without installing them (dict-gcide would start a server): needs neither root
# nor a daemon.
unpack() {
    { command -v apt-get && command -v dpkg-deb; } >/dev/null || no_text "there is no apt-get here" "$*"
    rm -rf data/fetch && mkdir -p data/fetch
    cd data/fetch
    download "$@" || { cat log >&2 && no_text "apt-get failed (see above)" "$*"; }
    for package in *.deb; do work dpkg-deb -x "$package" .; done
    cd ../..
}

no_text() {
    say "$2 could not be fetched: $1; a text of yours serves too: ./run quickstart --text FILE"
    exit 4
}

fetch_gcide() {
    [ ! -f data/gcide.dict.dz ] || return 0
    if [ -f /usr/share/dictd/gcide.dict.dz ]; then # the package is installed
        cp /usr/share/dictd/gcide.dict.dz data/gcide.part
        mv data/gcide.part data/gcide.dict.dz
        return 0
    fi
    say "fetching GCIDE, a dictionary of 40 MB (Debian's package dict-gcide, 13.5 MB)"
    unpack dict-gcide
    mv data/fetch/usr/share/dictd/gcide.dict.dz data/gcide.dict.dz
    rm -rf data/fetch
}

# Python's documentation and its library's code.
fetch_python() {
    [ ! -d data/python-docs ] || [ ! -d data/python-code ] || return 0
    say "fetching Python's documentation and library (Debian's packages python3.11-doc and libpython3.11-stdlib, 14.5 MB)"
    unpack python3.11-doc libpython3.11-stdlib
    rm -rf data/python-docs data/python-code
    mv data/fetch/usr/share/doc/python3.11/html/_sources data/python-docs
    mv data/fetch/usr/lib/python3.11 data/python-code
    rm -rf data/fetch
}

# current TARGET SOURCE...: is TARGET there, and no SOURCE newer?
current() {
    target=$1
    shift
    [ -f "$target" ] || return 1
    for source; do [ -z "$(find -L "$source" -prune -newer "$target")" ] || return 1; done
}

# vocabulary NAME ENTRIES REGEX FILE...: data/NAME.json, learned from the files; REGEX, here and below: how the first line of a document begins
vocabulary() {
    stem=$1 entries=$2 start=$3
    shift 3
    current "data/$stem.json" "$@" ||
        work "$lamina" tokenizer train --vocab "$entries" --out "data/$stem.json" ${start:+--document-start "$start"} "$@"
}

# token_files NAME TOKENIZER SHARE REGEX [OPTION...] FILE...: data/NAME.train.h5 and data/NAME.valid.h5, SHARE of the documents; no REGEX: a file is one
token_files() {
    stem=$1 tokenizer=$2 share=$3 start=$4
    shift 4
    ! current "data/$stem.train.h5" "$@" || ! current "data/$stem.valid.h5" "$@" || return 0
    work "$lamina" data build --tokenizer "$tokenizer" --out "data/$stem.train.h5" --valid-out "data/$stem.valid.h5" --valid-share "$share" \
        ${start:+--document-start "$start"} "$@"
}

# The vocabulary of 2,048 entries that the recipes of configs/ use, and GCIDE in it.
gcide_files() {
    fetch_gcide
    vocabulary gcide2048 2048 '^\S' data/gcide.dict.dz
    token_files gcide2048 data/gcide2048.json 1% '^\S' data/gcide.dict.dz
}
