# What ./run does to somebody's machine, and what it says: packages, sudo, --no-install, texts, disk, command lines. On a machine of stand-ins.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
. "$LAMINA_ROOT/tests/e2e/lib/run.sh"
line="    sudo apt-get update && sudo apt-get install --no-install-recommends"

# --- packages

make_machine
expect 0 run build
same "$(calls_of .)" 0 "calls of apt-get or sudo where nothing is missing"

make_machine
missing libyaml-dev zlib1g-dev
expect 0 run build
says err "installing 2 packages: 5 MB to fetch, 11 MB on disk"
same "$(calls_of '^apt-get.*install .*libyaml-dev zlib1g-dev$')" 3 "simulated, fetched, installed: and only what is missing"
same "$(calls_of '^apt-get.*gcc')" 0 "what is there is not asked for"
same "$(calls_of '^apt-get.* update')" 0 "lists that serve are not fetched again"
same "$(calls_of '^sudo -n .*apt-get.*--no-install-recommends --no-remove --download-only')" 1 "fetching by itself"
same "$(calls_of '^sudo -n setsid --wait .*apt-get.*--no-install-recommends --no-remove --no-download')" 1 "installing, where no signal reaches it"

make_machine
missing libyaml-dev
: >machine/no_lists
expect 0 run build
same "$(calls_of '^apt-get.* update')" 1 "absent lists are fetched, once"

make_machine
missing libyaml-dev
rm bin/sudo
expect 2 run build
says err "$line libyaml-dev" 1
same "$(calls_of .)" 0 "calls without a way to root"

make_machine
missing libyaml-dev
: >machine/sudo_asks
expect 2 run quickstart
says err "$line libyaml-dev" 1
same "$(calls_of apt-get)" 0 "calls where sudo would ask and nobody could answer"
if command -v script >/dev/null; then # a terminal, by which sudo may ask
    expect 0 script -qec "env -u SUDO_UID PATH='$here/bin' '$here/checkout/run' build" /dev/null
    says out "sudo asks for your password"
    same "$(calls_of '^sudo apt-get\|^sudo env\|^sudo setsid')" 2 "through the sudo that asked"
fi

make_machine
missing libyaml-dev
echo 0 >machine/uid
rm bin/sudo
expect 0 run build
same "$(calls_of '^apt-get.*install.* libyaml-dev')" 3 "root needs no sudo"

make_machine
missing libyaml-dev
rm bin/apt-get
expect 2 run build
says err "there is no apt-get here"
says err "$line libyaml-dev" 1

make_machine
rm bin/dpkg-query bin/apt-get
expect 0 run build
says err "no dpkg here"

# somebody else installs: waited for, once told, and not for ever
make_machine
missing libyaml-dev
printf 'a\nb\n' >machine/locked
expect 0 run build
says err "another program is installing: waiting for it, at most 300 s (could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711" 1
yes locked | head -n 100 >machine/locked
missing libyaml-dev
sed -i 's/^apt_wait=300 /apt_wait=4 /' checkout/scripts/packages.sh
expect 2 run build
says err "$line libyaml-dev" 1

make_machine
missing libyaml-dev
: >machine/fetch_fails
expect 2 run build
says err "E: Failed to fetch http://mirror.example/x.deb"
says err "$line libyaml-dev" 1
same "$(calls_of '^apt-get.* update')" 1 "old lists may be why, once"
: >machine/update_fails
expect 2 run build
says err "apt-get update failed (see above)"

make_machine
missing libyaml-dev
: >machine/dpkg_was_interrupted
expect 0 run build
says err "dpkg was interrupted"
same "$(calls_of '^dpkg --configure -a')" 1 "what was interrupted is finished first"

# --- --no-install

for way in "--no-install build" "build --no-install" "build release --no-install" "env build" "env=yes build"; do
    make_machine
    missing libyaml-dev openmpi-bin
    settings=
    case $way in env*) settings=LAMINA_NO_INSTALL=1 ;; esac
    # shellcheck disable=SC2086  # words
    expect 0 run ${way#env* }
    says err "not installed, and not to be (--no-install): openmpi-bin libyaml-dev" 1
    same "$(calls_of .)" 0 "calls with --no-install"
    : >machine/cmake_fails
    rm -rf checkout/build
    # shellcheck disable=SC2086
    expect 2 run ${way#env* }
    says err "CMake has not found all it needs. Debian's packages that are not installed: openmpi-bin libyaml-dev"
    says err "$line openmpi-bin libyaml-dev" 1
done
settings=LAMINA_NO_INSTALL=0
make_machine
missing libyaml-dev
expect 0 run build
same "$(calls_of '^apt-get.*install.* libyaml-dev')" 3 "LAMINA_NO_INSTALL=0 is no"
settings=

make_machine
missing cmake ninja-build
rm bin/cmake bin/ninja
expect 2 run --no-install build
says err "nothing can be built here without these (names of Debian's packages): cmake ninja-build"
says err "$line cmake ninja-build" 1
make_machine
missing check
expect 2 run --no-install test --quick
says err "the tests need Check"

# --- sudo

make_machine
echo 0 >machine/uid
[ "$(stat -c %u checkout)" -ne 0 ] || chown 65534 checkout
for behind in SUDO_UID=1000 DOAS_USER=somebody PKEXEC_UID=1000; do
    settings=$behind
    expect 2 env "$behind" PATH="$here/bin" "$here/checkout/run" build
    says err "do not run this under sudo"
done
settings=
[ ! -e checkout/build ] || fail "a build folder of root's"
expect 0 env SUDO_UID=1000 PATH="$here/bin" "$here/checkout/run" help

# --- disk: as df tells it, and where this may be tried a disk that is really small

make_machine
stand_in df 'printf "Filesystem 1024-blocks Used Available Capacity Mounted on\n//server/a share 10 1 102400 99%% /mnt/my disk\n"'
expect 6 run quickstart
says err "needs 370 MB of disk in /mnt/my disk, which has 100 MB free"
says err "270 MB too little"
same "$(calls_of .)" 0 "calls where the disk is short"
[ ! -e checkout/build/release ] || fail "built where the disk is short"
make_machine
missing libyaml-dev
stand_in df 'printf "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 10 1 2048 99%% /\n"'
expect 6 run build
says err "needs 9 MB of disk in /, which has 2 MB free"
same "$(calls_of 'apt-get -o.*install')" 0 "nothing is fetched"
make_machine
mkdir checkout/data
if [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; then
    expect 6 unshare --mount sh -c 'mount -t tmpfs -o size=30m tmpfs "$1/checkout/data" && PATH="$1/bin" exec "$1/checkout/run" quickstart' sh "$here"
    says err "needs 150 MB of disk in $here/checkout/data, which has 30 MB free"
fi

# --- texts

make_machine
mkdir "of mine" "of mine/folder"
cd "of mine"
: >empty.txt
printf 'a word\n' >tiny.txt
awk 'BEGIN { for (i = 0; i < 9000; i++) printf "word%d ", i % 100 }' >"one line"
head -c 50000 /dev/zero >zeros.txt
cp "$LAMINA" program
ln -s nowhere dangling
mkfifo pipe
refused() {
    expect 4 run quickstart --text "$1"
    says err "$PWD/$1: $2"
    same "$(calls_of .)" 0 "calls for a text that is not usable"
    [ ! -e ../checkout/build ] || fail "built for a text that is not usable"
}
calls_of() { grep -c -- "$1" ../calls || :; }
refused nothing "there is no such file"
refused dangling "there is no such file"
refused folder "is a folder, and one file is meant"
refused pipe "is not a regular file"
refused empty.txt "is empty"
refused tiny.txt "is too little text: 7 bytes"
refused "one line" "has neither 60 empty lines nor 60 lines"
refused zeros.txt "is no plain text: 50000 control characters"
refused program "is no plain text"
if [ "$(id -u)" -ne 0 ]; then
    cp zeros.txt secret && chmod 0 secret
    refused secret "may not be read by"
fi
expect 2 run quickstart --text
expect 2 run quickstart --text ''
expect 2 run quickstart --fast
cd ..

# --- command lines

for wrong in "nothing" "build nothing" "build dev asan" "test --slow" "mixture more" "launch 2" "launch 0 true" "launch two true" "launch -1 true"; do
    # shellcheck disable=SC2086
    expect 2 run $wrong
    says err "./run help tells what there is" 1
done
expect 10 run launch 1 "$here/no program"
says err "there is no program $here/no program"
expect 0 run help
expect 0 run

# --- signals at each stage: nothing half-made, nobody left, and the same command goes on

for signal in Ctrl-C TERM KILL; do
    case $signal in Ctrl-C) code=130 ;; TERM) code=143 ;; KILL) code=137 ;; esac
    for stage in fetchinstall install configure build; do
        make_machine
        missing libyaml-dev
        : >"machine/slow_$stage"
        started build
        within 10 test -e "machine/begun_$stage" || fail "$stage does not begin"
        ended $signal
        same "$got" $code "$signal while in $stage"
        if [ $stage = install ] && [ $signal != KILL ]; then
            [ -e machine/ended_install ] || fail "$signal: ./run has ended before the packages were installed"
            says err "apt is installing: stopping as soon as it is done"
        fi
        [ $signal = KILL ] || within 2 nothing_left || fail "$signal while in $stage leaves $(left_over)"
        rm machine/slow_*
        expect 0 run build
        [ -x checkout/build/release/lamina ] || fail "$signal while in $stage: the same command does not build"
        within 3 nothing_left || fail "$signal while in $stage leaves $(left_over)"
        # apt-get is root's: the death of ./run does not reach it, and it ends by itself
        case $stage-$signal in install-* | *install-KILL) ;; *) [ ! -e "machine/ended_$stage" ] || fail "$signal while in $stage does not end it" ;; esac
        [ -z "$(find checkout/build -name '*.unfinished')" ] || fail "$signal while in $stage: still unfinished"
    done
done
