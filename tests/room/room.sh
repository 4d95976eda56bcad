# The clean room: what the README promises to somebody with a fresh Debian. In the smallest root that debootstrap makes, an ordinary user clones
# this checkout (what is committed) and gives the README's two commands; then both again without a network.
# label: room
# timeout: 1500
#
# Everything happens in namespaces of mounts and processes of its own, below the folder where it is started: whatever ends this script leaves nothing
# mounted and nothing running. ROOM_KEEP=1 keeps the root, and a later start goes on with it; STAGES="users offline" runs only these.
set -eu
: "${LAMINA_ROOT:?the folder of the project}"
here=$PWD

skip() {
    echo "skipped: $*"
    exit 77
}

if [ -z "${ROOM_INSIDE:-}" ]; then
    [ "$(id -u)" -eq 0 ] || skip "a clean room needs root"
    for program in debootstrap unshare ip git; do command -v "$program" >/dev/null || skip "there is no $program here"; done
    unshare --mount --pid --fork true 2>/dev/null || skip "no namespaces of mounts and processes may be made here"
    unshare --net ip link set lo up 2>/dev/null || skip "no namespace of networks may be made here"
    git -c safe.directory='*' -C "$LAMINA_ROOT" rev-parse --verify -q HEAD >/dev/null || skip "$LAMINA_ROOT is not a git checkout"
    [ "$(df -P -k . | awk 'NR == 2 { print int($4 / 1024) }')" -ge 4000 ] || skip "a clean room needs 4 GB of disk"
    ROOM_INSIDE=yes exec unshare --mount --propagation private --pid --fork --kill-child=KILL sh "$0"
fi
trap 'exit 143' TERM INT HUP # the first process of its namespace: when it ends, all do
. "$LAMINA_ROOT/tests/room/lib/making.sh"
. "$LAMINA_ROOT/tests/room/lib/stages.sh"

for stage in ${STAGES:-base users manners online offline}; do
    begun=$(date +%s)
    echo "== $stage"
    "stage_$stage"
    times >times.txt
    echo "== $stage: $(($(date +%s) - begun)) s; of the processors so far, user and system: $(tail -n 1 times.txt)"
done
[ -n "${ROOM_KEEP:-}" ] || unmount_and_remove
