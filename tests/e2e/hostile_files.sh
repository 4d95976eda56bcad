# timeout: 900
# What somebody else may put into a run folder: manifests that are none, pipes, devices, folders and links in place of files, holes as large
# as a disk, escape sequences, and links where temporary files are going to be. Each command ends by itself, with its documented code.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
. "$LAMINA_ROOT/tests/e2e/lib/hostile.sh"
needs PCRE2
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

# --- other kinds of files (hostile_kinds.sh: all of them) ---------------------------------------------------------------------------
other_kinds 'pipe device escapes'

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

ln -s "$PWD/elsewhere" built.h5.building # a build clears its folder of what is not its own
ends 6 "$LAMINA" data build --out built.h5 text.txt
says err 'built.h5.building'
rm built.h5.building
ln -s "$PWD/elsewhere/kept" built.h5.tmp
ends 0 "$LAMINA" data build --out built.h5 text.txt
[ "$(cat elsewhere/kept)" = precious ] || fail "a file was written through a link, or removed"

# the folder of a checkpoint: what is none is passed over, and makes room for one of its step
for kind in pipe device text; do
    replace "$kind" runs/tiny/ckpt/step-00000012
    ends 0 "$LAMINA" verify tiny
    says err 'step 12 is passed over'
    ends 0 "$LAMINA" train tiny.yaml run.steps=12 --allow run.steps
    ends 0 "$LAMINA" verify tiny@12
    fresh
    replace "$kind" runs/tiny/ckpt
    ends 6 "$LAMINA" verify tiny
    ends 6 "$LAMINA" train tiny.yaml
    fresh
    rm -f runs/tiny/log/*
    replace "$kind" runs/tiny/log/rank-0000.log
    ends 0,6 "$LAMINA" train tiny.yaml run.steps=12 --allow run.steps
    [ "$kind" = text ] || same "$got" 6 "exit code where the log is no file"
    fresh
done

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
