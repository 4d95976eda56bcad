# text.sh: a text of the user, looked at before anything is installed or built for it. Sourced by ../run.
# shellcheck shell=sh

least_text=20000 # bytes
least_documents=60

# not_text WHY: ends ./run.
not_text() {
    say "$text: $1"
    exit 4
}

# look_at_text: sets $text_name, of its content, so that another text never meets the files of this one; $text_start, how a document begins;
# $text_share, what is held out; $text_mb.
look_at_text() {
    [ -e "$text" ] || not_text "there is no such file"
    [ ! -d "$text" ] || not_text "is a folder, and one file is meant (lamina data build --help tells of folders)"
    [ -f "$text" ] || not_text "is not a regular file"
    [ -r "$text" ] || not_text "may not be read by $(id -un)"
    text_bytes=$(wc -c <"$text")
    [ "$text_bytes" -gt 0 ] || not_text "is empty"
    text_mb=$((text_bytes / 1000000 + 1))
    text_start='^\s*$' text_share=5% text_ending=txt
    case ${text##*/} in
    *.jsonl | *.ndjson) text_ending=jsonl text_start= ;;
    *.gz | *.dz | *.zst | *.bz2 | *.xz) # documents are seen when it is unpacked
        text_ending=txt.${text##*.} text_mb=$((text_mb * 6))
        ! packed_jsonl "${text##*/}" || text_ending=jsonl.${text##*.} text_start=
        ;;
    *) look_at_plain_text ;;
    esac
    text_name=text-$(sha256sum <"$text" | cut -c 1-8)
}

packed_jsonl() { case $1 in *.jsonl.* | *.ndjson.*) ;; *) return 1 ;; esac }

look_at_plain_text() {
    # what no text has: control characters
    strange=$(head -c 1000000 <"$text" | LC_ALL=C tr -d '\11\12\14\15\33\40-\377' | wc -c)
    [ "$strange" -le $((($(head -c 1000000 <"$text" | wc -c) + 199) / 200)) ] ||
        not_text "is no plain text: $strange control characters in its first million bytes (UTF-16 becomes text by iconv, documents of programs by exporting)"
    [ "$text_bytes" -ge "$least_text" ] || not_text "is too little text: $text_bytes bytes; a model needs at least $least_text to learn from"
    [ "$text_bytes" -ge 1000000 ] || text_share=10%
    # documents are divided by empty lines, else each line is one
    [ "$(LC_ALL=C grep -a -c '^[[:space:]]*$' <"$text")" -lt "$least_documents" ] || return 0
    text_start='^'
    [ "$(wc -l <"$text")" -ge "$least_documents" ] ||
        not_text "has neither $least_documents empty lines nor $least_documents lines: some of its documents are to be held out, and it cannot be divided"
}

# A vocabulary of 2,048 entries, or as many as the text is good for; its token files. Files of other endings are given one.
text_files() {
    source=data/$text_name.$text_ending
    ln -sf -- "$text" "$source"
    if [ ! -f "data/$text_name.json" ]; then
        entries=2048
        work "$lamina" tokenizer train --vocab $entries --out "data/$text_name.json" ${text_start:+--document-start "$text_start"} "$source" \
            2>data/text.part || {
            fewer=$(sed -n 's/.*the text is good for \([0-9]*\) entries and not for.*/\1/p' data/text.part)
            [ -n "$fewer" ] || { cat data/text.part >&2 && exit 4; }
            vocabulary "$text_name" "$fewer" "$text_start" "$source"
        }
    fi
    { [ -f "data/$text_name.train.h5" ] && [ -f "data/$text_name.valid.h5" ]; } ||
        token_files "$text_name" "data/$text_name.json" "$text_share" "$text_start" "$source"
    rm -f "$source" data/text.part
}
