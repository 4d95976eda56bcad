# stages.sh: what happens in the clean room, in this order. Sourced by room.sh.

# shellcheck source=/dev/null
. /etc/os-release
suite=${VERSION_CODENAME:-}

# The smallest Debian, with what the README takes for given: git, and sudo.
stage_base() {
    mirrors >mirrors.txt
    read -r uri name keyring components <mirrors.txt || skip "apt's configuration here names no archive of Debian"
    if [ ! -f "$root/base.done" ]; then
        rm -rf --one-file-system "$root"
        case $keyring in -) keyring= ;; *) keyring=--keyring=$keyring ;; esac
        include=git,sudo
        ! grep -q '^https' mirrors.txt || include=$include,ca-certificates
        # the machine's way to the archive (a proxy, say) is the room's
        apt-config dump | grep -i '^Acquire::.*\(proxy\|https\)' >acquire.conf || :
        eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
        export http_proxy https_proxy
        # shellcheck disable=SC2086  # a word or none
        debootstrap --variant=minbase --include=$include $keyring "$suite" "$root" "$uri" >debootstrap.log 2>&1 || {
            tail -n 5 debootstrap.log
            grep -qi 'unpack\|configure' debootstrap.log || skip "debootstrap cannot fetch $suite from $uri"
            fail "debootstrap"
        }
        cp acquire.conf "$root/etc/apt/apt.conf.d/90outside"
        ! grep -q '^https' mirrors.txt || cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
        name_mirrors
        : >"$root/base.done"
    fi
    mountpoint -q "$root/proc" || mount_all
}

name_mirrors() { awk '{ printf "deb %s %s", $1, $2; for (i = 4; i <= NF; i++) printf " %s", $i; print "" }' mirrors.txt >"$root/etc/apt/sources.list"; }

# ada has a sudo that asks for no password, bo has none. What they clone is what is committed, by one commit.
stage_users() {
    mountpoint -q "$root/proc" || mount_all
    for user in ada bo; do chroot "$root" id "$user" >/dev/null 2>&1 || chroot "$root" useradd -m -s /bin/bash "$user"; done
    echo 'ada ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/ada"
    chmod 440 "$root/etc/sudoers.d/ada"
    rm -rf "$root/srv/lamina" "$root/home/ada/lamina" "$root/home/bo/lamina"
    mkdir "$root/srv/lamina"
    git -c safe.directory='*' -C "$LAMINA_ROOT" archive HEAD | tar -x -C "$root/srv/lamina"
    chroot "$root" chown -R ada: /srv/lamina
    printf '[safe]\n\tdirectory = *\n' >"$root/etc/gitconfig" # for bo, who clones from ada
    as ada "cd /srv/lamina && git -c init.defaultBranch=main init -q && git add -A &&
        git -c user.name=room -c user.email=room@localhost commit -q -m 'what is committed'" || fail "a repository to clone from"
    for user in ada bo; do as $user 'git clone -q file:///srv/lamina lamina' || fail "git clone by $user"; done
}

# Who may not install is told the line; who calls ./run by sudo is told not to; a lock is waited for; a mirror that fails is no riddle; and what
# a signal ends goes on later.
stage_manners() {
    mountpoint -q "$root/proc" || mount_all
    expect 2 as bo 'cd lamina && ./run quickstart'
    says err "sudo apt-get install --no-install-recommends gcc libc6-dev cmake ninja-build"
    expect 2 as bo 'cd lamina && ./run --no-install build'
    says err "nothing can be built here without these (names of Debian's packages): cmake gcc libc6-dev ninja-build pkg-config"
    expect 2 as ada 'cd lamina && sudo ./run build'
    says err "do not run this under sudo"
    [ ! -e "$root/home/ada/lamina/build" ] || fail "./run under sudo left a build folder"

    echo 'deb http://127.0.0.1:9/debian none main' >"$root/etc/apt/sources.list"
    expect 2 as ada 'cd lamina && ./run build'
    says err "Failed to fetch http://127.0.0.1:9/debian"
    says err "apt-get does not know all of them, even with new lists"
    says err "    sudo apt-get update && sudo apt-get install --no-install-recommends gcc"
    name_mirrors

    # the lock, as another apt holds it, until its being waited for is told
    : >"$root/tmp/held"
    chroot "$root" perl -e 'open(my $f, ">>", "/var/lib/dpkg/lock-frontend") or die; my $l = pack("s s l! l! i x4", 1, 0, 0, 0, 0);
        fcntl($f, 6, $l) or die; sleep 1 while -e "/tmp/held"' &
    begin 'cd lamina && exec env --default-signal=INT ./run build'
    until_says "another program is installing: waiting for it"
    rm "$root/tmp/held"
    end INT 130
    begin 'cd lamina && exec ./run build'
    until_says "MB to fetch"
    end TERM 143
    wait
    clean ada lamina
    [ -z "$(ls -A "$root/tmp")" ] || fail "left in /tmp: $(ls -A "$root/tmp")"
}

# begin COMMAND: ada's, in the background; end SIGNAL CODE: three seconds later that signal to it, by which it ends.
begin() {
    as ada "echo \$\$ >/tmp/pid; $1" >out 2>err &
    job=$!
}

until_says() {
    tries=300
    until grep -qF -- "$1" err; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "\"$1\" is not said"
        sleep 1
    done
}

end() {
    sleep 3
    kill -s "$1" "$(cat "$root/tmp/pid")"
    got=0
    wait "$job" || got=$?
    rm -f "$root/tmp/pid"
    [ "$got" -eq "$2" ] || fail "exit code $got instead of $2 after $1"
    echo "ended by $1: $(tail -n 1 err)"
}

# The README's commands, as the user that it means.
stage_online() {
    mountpoint -q "$root/proc" || mount_all
    : >stamp
    expect 0 as ada 'cd lamina && ./run quickstart'
    grep -e '^===' -e '^evaluation' -e 'digest' out || :
    clean ada lamina
    expect 0 as ada 'cd lamina && ./run test --quick'
    tail -n 1 out
    clean ada lamina
    written_since stamp "$root/home" "$root/opt" "$root/srv" "$root/root"
    # nothing came along that is only recommended
    only=$(chroot "$root" apt-get -s autoremove -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false | sed -n 's/^Remv //p')
    [ -z "$only" ] || fail "recommended packages have come along: $only"
}

# Both again where there is no network but lo: everything is there, and ranks still find each other.
stage_offline() {
    mountpoint -q "$root/proc" || mount_all
    sleep 1
    : >stamp
    expect 0 without_network ada 'cd lamina && ./run quickstart'
    says err "runs/quickstart is complete"
    offline_is_clean
    expect 0 without_network ada 'cd lamina && ./run launch 2 build/release/lamina train configs/quickstart.yaml run.name=offline run.steps=4 \
        optimizer.schedules.main.warmup=1'
    says out "evaluation at step 4"
    offline_is_clean
    expect 0 without_network ada 'cd lamina && ./run test --quick'
    grep ' passed, 0 failed' out || fail "the tests without a network"
    offline_is_clean
    written_since stamp "$root"
}

offline_is_clean() {
    ! grep -E '^ *[0-9]+: [0-9A-F]+:[0-9A-F]{4} |^[0-9a-f]{16}: ' out || fail "something listens"
    clean ada lamina
}
