# timeout: 900
# What somebody else may put into a run folder: manifests that are none, pipes, devices, folders and links in place of files, holes as large
# as a disk, escape sequences, and links where temporary files are going to be. Each command ends by itself, with its documented code.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
. "$LAMINA_ROOT/tests/e2e/lib/hostile.sh"
make_run
manifest=$ckpt/manifest.json

# --- manifests ---------------------------------------------------------------------------------------------------------------
# refused: the manifest as it stands.
refused() {
    ends 5 "$LAMINA" verify tiny@8
    says err manifest.json
    ends 5 "$LAMINA" show tiny@8
    fresh
}
# changed FROM TO: the good manifest with one thing changed.
changed() {
    sed "s|$1|$2|" "good/tiny/ckpt/step-00000008/manifest.json" >"$manifest"
    ! cmp -s "$manifest" good/tiny/ckpt/step-00000008/manifest.json || fail "nothing changed: $1"
    refused
}
: >"$manifest" && refused
echo 'null' >"$manifest" && refused
awk 'BEGIN { for (i = 0; i < 200000; i++) printf "[" }' >"$manifest" && refused
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "{\"a\":" }' >"$manifest" && refused
awk 'BEGIN { printf "["; for (i = 0; i < 300000; i++) printf "[],"; printf "[]]" }' >"$manifest" && refused
printf '{"format": "lamina-checkpoint\000", "version": 1}' >"$manifest" && refused
rm "$manifest" && truncate -s 1G "$manifest" && refused
rm "$manifest" && mkfifo "$manifest" && refused
rm "$manifest" && mkdir "$manifest" && refused
rm "$manifest" && ln -s /dev/zero "$manifest" && refused
rm "$manifest" && ln -s nowhere "$manifest" && refused
rm "$manifest" && refused
changed '"step": 8' '"step": 8, "step": 8'
changed '"step": 8' '"step": 7'
changed '"step": 8' '"step": -8'
changed '"step": 8' '"step": 99999999999999999999999'
changed '"step": 8' '"step": 8.0'
changed '"step": 8' '"step": "8"'
changed '"step": 8' '"step": 8, "more": 1'
changed '"step": 8,' ''
changed 'state.h5' '../../../../etc/passwd'
changed '"bytes": [0-9]*,' '"bytes": 9223372036854775807,'
changed '"block_bytes": 4194304' '"block_bytes": 1'
changed '"name": "config"' '"name": "\\u001b[31mconfig"'
changed '"name": "config"' '"name": "../../etc/passwd"'
changed '"blocks": \[' '"blocks": ["00",'
changed '"offset": [0-9]*' '"offset": -1'
changed '"datasets": \[' '"datasets": [[],'

# --- what the state says, with a manifest that agrees ------------------------------------------------------------------------
# says_now SCRIPT: state.h5 with its text changed by sed, and no byte longer.
says_now() {
    sed -i "$1" "$ckpt/state.h5"
    ! cmp -s "$ckpt/state.h5" good/tiny/ckpt/step-00000008/state.h5 || fail "nothing changed: $1"
    "$tools/damage_h5" "$ckpt/state.h5" 0 "$manifest"
}
says_now 's/^  layers: 2$/  layers: 9/'
ends 5 "$LAMINA" eval tiny@8 # another model than its tensors
says err 'state.h5: its own configuration describes a model with'
fresh
says_now 's/^  width: 32$/  #     32 /; s/^  init_std: 0.02$/  width: 1048576/'
for command in hash eval generate; do # terabytes
    ends 5 "$LAMINA" $command tiny@8
    says err 'state.h5'
done
fresh
says_now 's/^  width: 32$/  #     32 /; s/^  init_std: 0.02$/  width: 1048576/; s/^  layers: 2$/  #     : 2/; s/^  qk_norm: false$/  layers: 10000 /'
ends 5 "$LAMINA" eval tiny@8
says err '2^40 is the most'
fresh
says_now "s/^  family: llama/  family: ll$escape[m/"
for command in hash eval generate; do ends 5 "$LAMINA" $command tiny@8; done
ends 0 "$LAMINA" show tiny@8 --config
says out '\x1b[m'
fresh
says_now 's/"separate":false,//; s/"name":"t"/"name":"\\u001b[2Jxxxxxxxxt"/'
ends 5 "$LAMINA" show tiny@8
says err 'data/ledger'
ends 5 "$LAMINA" train tiny.yaml run.steps=10 --allow run.steps
fresh

# --- other kinds of files ----------------------------------------------------------------------------------------------------
# replace KIND FILE
kinds='pipe folder device nothing hole text escapes'
replace() {
    rm -rf "$2"
    case $1 in
    pipe) mkfifo "$2" ;;
    folder) mkdir "$2" ;;
    device) ln -s /dev/zero "$2" ;;
    nothing) ln -s nowhere "$2" ;;
    hole) truncate -s 64G "$2" ;;
    text) printf 'root:x:0:0\n' >"$2" ;;
    escapes) printf '{"name": "\\u001b[2J", "\033]0;x\007": "\033[31m"}\n\233\n' >"$2" ;;
    esac
}
for kind in $kinds; do
    replace "$kind" "$ckpt/state.h5"
    ends 5 "$LAMINA" verify tiny@8
    ends 5 "$LAMINA" show tiny@8
    ends 5 "$LAMINA" diff tiny@8 tiny@4
    ends 0 "$LAMINA" show tiny # the one before
    fresh
    for file in run.json metrics.jsonl events.jsonl config.yaml; do
        replace "$kind" "runs/tiny/$file"
        ends 0 "$LAMINA" report tiny --out page.html
        ! grep -q "$escape" page.html || fail "an escape sequence stands in the page"
        ends 0,5,6 "$LAMINA" train tiny.yaml run.steps=10 --allow run.steps
        [ "$got" -eq 0 ] || says err "$file"
        fresh
    done
    replace "$kind" runs/tiny/lock
    ends 11 "$LAMINA" train tiny.yaml run.steps=10 --allow run.steps
    fresh
    replace "$kind" runs/tiny/ckpt/latest
    ends 0,6 "$LAMINA" train tiny.yaml run.steps=10 --allow run.steps
    [ "$got" -eq 0 ] || says err latest
    ends 0 "$LAMINA" verify tiny
    fresh
done

# the run's copy of its tokenizer.json, where the file itself is gone
expect 0 "$LAMINA" tokenizer train --vocab 300 --out tokenizer.json text.txt
expect 0 "$LAMINA" data build --tokenizer tokenizer.json --out learned.h5 text.txt
sed 's|tokenizer: bytes|tokenizer: tokenizer.json|; s|[tv]\.h5|learned.h5|g' tiny.yaml >learned.yaml
expect 0 "$LAMINA" train learned.yaml run.name=learned run.steps=4
mv tokenizer.json learned.json
expect 0 "$LAMINA" generate learned --max-tokens 2
for kind in $kinds; do
    replace "$kind" runs/learned/tokenizer.json
    ends 4 "$LAMINA" tokenizer show runs/learned/tokenizer.json
    says err tokenizer.json
    ends 3,4 "$LAMINA" generate learned --max-tokens 2
    says err tokenizer.json
done
fresh

# a lock that speaks of a group of processes to kill(2)
printf 'host %s\npid -1\nstarted 0\njob \033[31m\n' "$(hostname)" >runs/tiny/lock
ends 11 "$LAMINA" train tiny.yaml run.steps=10 --allow run.steps
says err 'kill -USR1 -1' 0
fresh

# --- links where temporary files are going to be ------------------------------------------------------------------------------
mkdir elsewhere
echo precious >elsewhere/kept
fresh
for name in config.yaml run.json loss.svg metrics.jsonl ckpt/latest; do ln -s "$PWD/elsewhere/kept" "runs/tiny/$name.tmp"; done
ln -s "$PWD/elsewhere" runs/tiny/ckpt/step-00000012.tmp
ln -s "$PWD/elsewhere" runs/tiny/ckpt/step-00000012.old
ends 0 "$LAMINA" train tiny.yaml run.steps=12 --allow run.steps
[ "$(cat elsewhere/kept)" = precious ] || fail "a file was written through a link"
[ "$(ls elsewhere)" = kept ] || fail "files were written through a link"
ends 0 "$LAMINA" verify tiny@12
fresh
for name in metrics.jsonl events.jsonl; do # these are appended to: never through a link
    rm "runs/tiny/$name"
    ln -s "$PWD/elsewhere/kept" "runs/tiny/$name"
    ends 0,6 "$LAMINA" train tiny.yaml run.steps=12 --allow run.steps
    [ "$(cat elsewhere/kept)" = precious ] || fail "a file was written through a link: $name"
    fresh
done
ln -s "$PWD/elsewhere/kept" page.html.tmp
ends 0 "$LAMINA" report tiny --out page.html
ln -s "$PWD/elsewhere/kept" weights.safetensors.tmp
ends 0 "$LAMINA" export tiny --out weights.safetensors
[ "$(cat elsewhere/kept)" = precious ] || fail "a file was written through a link"

# --- names that lead elsewhere -----------------------------------------------------------------------------------------------------
for name in . .. ../x /x a/b 'a b' '~' "${escape}c" "$(printf '%065d' 0)"; do
    ends 3 "$LAMINA" train tiny.yaml "run.name=$name"
    says err run.name
done

# --- umask -----------------------------------------------------------------------------------------------------------------------
(
    umask 077
    ends 0 "$LAMINA" train tiny.yaml run.name=private run.steps=4
    [ -z "$(find runs/private -perm /077)" ] || fail "others may read what umask 077 forbids"
)
