# packages.sh: Debian's packages, where something is missing and somebody may install it. Sourced by ../run.
# shellcheck shell=sh

build_packages="gcc libc6-dev cmake ninja-build pkg-config openmpi-bin libopenmpi-dev libhdf5-openmpi-dev libyaml-dev libjansson-dev libxxhash-dev zlib1g-dev
    libdnnl-dev libopenblas-dev liblapacke-dev libpcre2-dev libutf8proc-dev libzstd-dev libbz2-dev liblzma-dev"
test_packages="check clang-format"
mpich_packages="mpich libmpich-dev libhdf5-mpich-dev" # beside Open MPI, which stays what mpicc and mpirun are

apt_wait=300   # seconds for another program's lock
packages_off=$LAMINA_NO_INSTALL
[ "$packages_off" != 0 ] || packages_off=

# missing_of PACKAGE...: those that are not installed; fails where nothing tells.
missing_of() {
    command -v dpkg-query >/dev/null || return 1
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p')
    for package; do
        printf '%s\n' "$installed" | grep -qxF -e "$package" || printf ' %s' "$package"
    done
}


# ask_for WHY PACKAGES: ends ./run with the exact line.
ask_for() {
    say "$1"
    say "what is missing can be installed by whoever may, with this line:"
    printf '\n    sudo apt-get update && sudo apt-get install --no-install-recommends%s\n\n' "$2" >&2
    say "or build against other installations of these libraries: ./run --no-install ..."
    exit 2
}

# ways_to_root: sets $root to the words before a command, or fails.
ways_to_root() {
    if [ "$(id -u)" -eq 0 ]; then
        root=
    elif ! command -v sudo >/dev/null; then
        return 1
    elif sudo -n true 2>/dev/null; then
        root="sudo -n"
    elif [ -t 0 ] && [ -t 2 ]; then
        say "sudo asks for your password, to install packages"
        sudo -v || return 1
        root=sudo
    else
        return 1
    fi
}

# shellcheck disable=SC2086  # words
as_root() { $root "$@"; }

apt_log=build/apt.log # of the last call

# apt ON_SIGNAL ARGUMENTS...: apt-get as root, quiet unless it fails; while another program holds a lock of its, it is tried again.
apt() {
    on_signal=$1
    shift
    # what a signal must not break leads a session of its own
    leader=
    [ "$on_signal" != finish ] || leader="setsid --wait"
    mkdir -p build
    waited=0
    while :; do
        # shellcheck disable=SC2086  # words; no function, which would be a process between
        $root $leader $willing env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 -o Acquire::Retries=2 -q -y "$@" >"$apt_log" 2>&1 &
        child=$! child_on_signal=$on_signal
        apt_code=0
        await || apt_code=$?
        [ "$apt_code" -ne 0 ] || break
        lock=$(sed -n 's/^E: Could not \(get lock .*\)$/\1/p' "$apt_log" | head -n 1)
        [ -n "$lock" ] || break
        [ "$waited" -gt 0 ] || say "another program is installing: waiting for it, at most $apt_wait s (could not $lock)"
        [ "$waited" -lt "$apt_wait" ] || break
        waited=$((waited + 3))
        work sleep 3
    done
    if [ "$apt_code" -ne 0 ] && grep -q "dpkg was interrupted" "$apt_log" && [ -z "${repaired:-}" ]; then
        repaired=yes
        say "dpkg was interrupted at some time: it finishes that first (dpkg --configure -a)"
        $root setsid --wait env LC_ALL=C DEBIAN_FRONTEND=noninteractive dpkg --configure -a >&2 &
        child=$! child_on_signal=finish
        await || return "$?"
        apt "$on_signal" "$@"
        return "$?"
    fi
    if [ "$apt_code" -eq 0 ]; then
        grep '^[WE]: ' "$apt_log" >&2 || : # an update ends well even where a mirror does not answer
    else
        cat "$apt_log" >&2
    fi
    return "$apt_code"
}

# sizes_of PACKAGES: how many packages apt would install for them, and their MB to fetch and to keep; fails where its lists do not say.
sizes_of() {
    # shellcheck disable=SC2086  # a list
    plan=$(LC_ALL=C apt-get install -s --no-install-recommends $1 2>/dev/null) || return 1
    # shellcheck disable=SC2046  # a list
    LC_ALL=C apt-cache show --no-all-versions $(printf '%s\n' "$plan" | sed -n 's/^Inst \([^ ]*\) .*/\1/p') 2>/dev/null |
        awk '/^Package: / { n++ } /^Size: / { fetch += $2 } /^Installed-Size: / { keep += $2 }
            END { printf "%d %d %d\n", n, fetch / 1000000 + 1, keep / 1000 + 1 }'
}

# need PACKAGE...: installs those that are missing.
need() {
    if ! missing=$(missing_of "$@"); then
        [ -n "$packages_off" ] || say "no dpkg here: taking compiler and libraries as CMake finds them"
        return 0
    fi
    [ -n "$missing" ] || return 0
    if [ -n "$packages_off" ]; then
        lacking=$missing
        say "not installed, and not to be (--no-install):$missing"
        return 0
    fi
    command -v apt-get >/dev/null || ask_for "missing:$missing; and there is no apt-get here" "$missing"
    ways_to_root || ask_for "missing:$missing; and here is neither root, nor a sudo that asks for no password, nor a terminal where it could ask" "$missing"
    say "missing:$missing"
    # lists may be absent or old: fetched again only where they do not serve
    fresh=
    if ! sizes=$(sizes_of "$missing"); then
        refresh
        sizes=$(sizes_of "$missing") || ask_for "apt-get does not know all of them, even with new lists (see above)" "$missing"
    fi
    install || {
        [ -z "$fresh" ] || ask_for "apt-get failed (see above)" "$missing"
        refresh
        install || ask_for "apt-get failed (see above)" "$missing"
    }
    still=$(missing_of "$@") || :
    [ -z "$still" ] || ask_for "apt-get ended well, and yet this is not installed:$still" "$still"
}

refresh() {
    say "fetching lists of packages"
    fresh=yes
    apt root update || ask_for "apt-get update failed (see above)" "$missing"
}

# Fetching may be interrupted at any time, installing may not: a dpkg that was stopped half-way lets nobody install anything.
install() {
    # shellcheck disable=SC2086  # lists
    {
        set -- $sizes
        say "installing $1 packages: $2 MB to fetch, $3 MB on disk"
        room "$2" /var/cache/apt/archives "$3" /usr
        apt root install --no-install-recommends --no-remove --download-only $missing &&
            apt finish install --no-install-recommends --no-remove --no-download $missing
    }
}
