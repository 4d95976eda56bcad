# making.sh: making the clean room, and looking at it. Sourced by room.sh, within its namespaces.
. "$LAMINA_ROOT/tests/support/expect.sh"
root=$here/root

fail() {
    echo "FAILED: $*" >&2
    for file in out err; do [ ! -f $file ] || { echo "--- the last lines of $file" && tail -n 40 $file; } >&2; done
    exit 1
}

# The Debian that runs here: its suites, as apt's own configuration names them.
mirrors() {
    set --
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do [ ! -f "$list" ] || set -- "$@" "$list"; done
    [ $# -gt 0 ] || return 0
    awk -v archive='(debian|ubuntu)-archive' -f "$LAMINA_ROOT/tests/room/lib/mirrors.awk" "$@" |
        awk -v suite="$suite" '$2 == suite || $2 == suite "-updates" || $2 == suite "-security" || $2 == suite "/updates"'
}

mount_all() {
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
    for device in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
        # shellcheck disable=SC2086  # name and numbers
        set -- $device
        mknod -m 666 "$root/dev/$1" c "$2" "$3"
    done
    mkdir "$root/dev/shm" "$root/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mkdir -p "$root/run/lock"
    mount --rbind /sys "$root/sys" && mount -o remount,ro,bind "$root/sys" || :
}

unmount_and_remove() {
    for place in dev/shm dev/pts dev run sys proc; do umount -l "$root/$place" 2>/dev/null || :; done
    ! grep -q " $root" /proc/self/mounts || fail "something is still mounted below $root"
    rm -rf --one-file-system "$root"
}

# as USER COMMAND: a login of that user, in its home folder; no terminal, and nothing of the outer environment.
as() { chroot "$root" env -i /bin/su - "$1" -c "$2" </dev/null; }

# without_network USER COMMAND
without_network() {
    unshare --net sh -c 'ip link set lo up && chroot "$1" env -i /bin/su - "$2" -c "$3" </dev/null; code=$?
        awk "\$4 == \"0A\"" /proc/net/tcp /proc/net/tcp6; awk "\$4 == \"00010000\"" /proc/net/unix; exit $code' sh "$root" "$1" "$2"
}

says() { grep -qF -- "$2" "$1" || fail "\"$2\" does not stand in $1"; }

# no_process: nothing runs that was started in here. What has ended and was not waited for has no command line.
no_process() {
    sleep 0.2
    for process in "$root"/proc/[0-9]*; do
        [ "${process##*/}" != 1 ] || continue
        name=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline") || continue
        case $name in '' | 'tr '*) ;; *) fail "still running: $name" ;; esac
    done
}

# clean USER FOLDER: nothing of root's in the clone, nothing that git would see, nobody listening or left.
clean() {
    no_process
    foreign=$(find "$root/home/$1" ! -user "$(chroot "$root" id -u "$1")" | head -n 5)
    [ -z "$foreign" ] || fail "not owned by $1: $foreign"
    status=$(as "$1" "cd $2 && git status --porcelain")
    [ -z "$status" ] || fail "git status: $status"
}

# written_since STAMP PATH...: fails where something below the paths is newer, but for the clone and what systems always write.
written_since() {
    stamp=$1
    shift
    seen=$(find "$@" -xdev -newercc "$stamp" ! -path "$root/home/ada/lamina/*" ! -path "$root/home/ada/lamina" ! -path "$root/tmp/*" \
        ! -path "$root/tmp" ! -path "$root/var/log/*" -print | head -n 10)
    [ -z "$seen" ] || fail "written outside of the clone: $seen"
}
