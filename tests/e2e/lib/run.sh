# Sourced by the scripts that try ./run, behind e2e.sh: a copy of ./run with a machine of its own around it. In ./bin, which is all of PATH,
# stand links to the usual programs, and stand-ins for those that would change this machine or ask it: apt-get, sudo, dpkg-query, id, cmake...
# What the stand-ins are to say is in files of ./machine; what they were called with is in ./calls.

# make_machine: nothing is missing, whoever asks is an ordinary user who has a sudo that asks for no password.
make_machine() {
    RUN_MARK=$$-$(date +%s%N)
    here=$PWD run_path=$PWD/bin
    rm -rf checkout bin machine calls
    mkdir checkout bin machine
    cp -R "$LAMINA_ROOT/run" "$LAMINA_ROOT/scripts" "$LAMINA_ROOT/configs" "$LAMINA_ROOT/CMakePresets.json" checkout
    for tool in sh env awk sed grep tr cut head tail sort wc cat cp mv rm ln mkdir rmdir ls find stat df dirname basename readlink mktemp sleep nproc \
        setsid setpriv flock sha256sum gzip printf true false touch ps kill timeout date chmod ldd seq; do
        for folder in /usr/bin /bin; do [ ! -x "$folder/$tool" ] || { ln -s "$folder/$tool" "bin/$tool" && break; }; done
    done
    { sed -n '/^build_packages=/,/"$/p; /^test_packages=/p' checkout/scripts/packages.sh && echo 'echo $build_packages $test_packages'; } |
        sh | tr ' ' '\n' >machine/installed
    echo 1000 >machine/uid
    : >calls

    stand_in id 'case $1 in -u) cat "$M/uid" ;; *) echo somebody ;; esac'
    stand_in sudo '
        echo "sudo $*" >>"$M/../calls"
        [ "$1" = -n ] && { [ ! -e "$M/sudo_asks" ] || exit 1; shift; }
        [ "$1" = -v ] && exit 0
        exec "$@"'
    stand_in dpkg-query 'sed "s/^/installed /" "$M/installed"'
    stand_in dpkg 'echo "dpkg $*" >>"$M/../calls"; rm -f "$M/dpkg_was_interrupted"'
    # "-s install" tells what would be installed; the rest does it, or fails as $M tells
    stand_in apt-get '
        echo "apt-get $*" >>"$M/../calls"
        packages= what= how=
        while [ $# -gt 0 ]; do
            case $1 in
            -o) shift ;;
            -s) how=simulate ;;
            --download-only) how=fetch ;;
            -*) ;;
            update | install | download) what=$1 ;;
            *) packages="$packages $1" ;;
            esac
            shift
        done
        [ "$what" != download ] || { slow download; : >gcide.deb; exit 0; }
        case $what$how in
        update) [ ! -e "$M/update_fails" ] || { echo "E: no network" && exit 100; }; rm -f "$M/no_lists"; exit 0 ;;
        installsimulate) [ ! -e "$M/no_lists" ] || exit 100; for p in $packages; do echo "Inst $p (1 Debian)"; done; exit 0 ;;
        esac
        if [ -s "$M/locked" ]; then
            sed -i 1d "$M/locked"
            echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (apt-get)"
            exit 100
        fi
        [ ! -e "$M/dpkg_was_interrupted" ] || { echo "E: dpkg was interrupted, you must manually run '\''dpkg --configure -a'\''"; exit 100; }
        [ ! -e "$M/fetch_fails" ] || { echo "E: Failed to fetch http://mirror.example/x.deb" && exit 100; }
        slow "$how$what"
        [ "$how" = fetch ] || printf "%s\n" $packages >>"$M/installed"'
    stand_in apt-cache 'shift 2; for p; do printf "Package: %s\nSize: 2000000\nInstalled-Size: 5000\n\n" "$p"; done'
    stand_in cmake '
        case $1 in
        --preset)
            mkdir -p build/$2
            [ ! -e "$M/cmake_fails" ] || { echo "CMake Error: Could NOT find MPI_C (missing: MPI_C_LIB_NAMES)" >&2 && exit 1; }
            echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" >build/$2/CMakeCache.txt
            slow configure
            : >build/$2/build.ninja
            ;;
        --build) slow build; ln -sf "$LAMINA" "$2/lamina" ;;
        esac'
    for tool in cc ninja pkg-config; do stand_in $tool 'exit 0'; done
}

# stand_in NAME SCRIPT
stand_in() {
    rm -f "bin/$1"
    # slow WHAT: where machine/slow_WHAT stands, says that it has begun, and takes its time
    printf '#!%s/bin/sh\nM=%s/machine\n%s\n%s\n' "$here" "$here" \
        'slow() { [ ! -e "$M/slow_$1" ] || { echo >"$M/begun_$1"; sleep 1; echo >"$M/ended_$1"; }; }' "$2" >"bin/$1"
    chmod 755 "bin/$1"
}

# run ARGUMENTS...: ./run on that machine, without a terminal
run() { env -u LAMINA_NO_INSTALL -u SUDO_UID RUN_MARK="$RUN_MARK" PATH="$run_path" ${settings:-} "$here/checkout/run" "$@" </dev/null; }

missing() { for package; do sed -i "/^$package\$/d" machine/installed; done; }
calls_of() { grep -c -- "$1" calls || :; }

# make_quickstart: what the quickstart of a machine of stand-ins needs to be real in seconds: a small dictionary, a small model; its ranks are
# started by the real mpirun.
make_quickstart() {
    make_machine
    run_path=$here/bin:$PATH
    id -u >machine/uid
    awk 'BEGIN { s = 7; for (i = 0; i < 4000; i++) { s = (s * 1103 + 12345) % 65536
        printf "%c%c%d\n    the %s of entry %d, see %d\n", 97 + s % 26, 97 + int(s / 26) % 26, s % 997, (s % 3 ? "name" : "number"), s % 1301, i % 877 } }' |
        gzip -n >machine/gcide.dict.dz
    stand_in dpkg-deb 'slow unpack; mkdir -p "$3/usr/share/dictd" && cp "$M/gcide.dict.dz" "$3/usr/share/dictd/gcide.dict.dz"'
    sed -i 's/width: 192, layers: 4, heads: 6, kv_heads: 3, mlp: 512, context: 128/width: 32, layers: 1, heads: 2, kv_heads: 1, mlp: 32, context: 16/
        s/sequences: 32, micro: 8/sequences: 8, micro: 4/; s/every: 100, batches: 20/every: 100, batches: 1/' checkout/configs/quickstart.yaml
}

# left_over: the command lines of processes that a ./run here has started (they carry $RUN_MARK) and that still run
left_over() {
    for process in /proc/[0-9]*; do
        [ "${process#/proc/}" != $$ ] || continue
        grep -qaF "RUN_MARK=$RUN_MARK" "$process/environ" 2>/dev/null || continue
        # this shell has the mark only where it was started with it
        tr '\0' ' ' <"$process/cmdline" 2>/dev/null && echo
    done
}

# within SECONDS COMMAND: does the command succeed within that time?
within() {
    tries=$(($1 * 10))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

nothing_left() { [ -z "$(left_over)" ]; }

# started ARGUMENTS...: run in the background, in a session of its own, with INT as a terminal would have it; $job is its process
started() {
    # shellcheck disable=SC2086
    env -u LAMINA_NO_INSTALL -u SUDO_UID RUN_MARK="$RUN_MARK" PATH="$run_path" ${settings:-} setsid env --default-signal=INT,QUIT \
        "$here/checkout/run" "$@" >out 2>err </dev/null &
    job=$!
}

# ended SIGNAL: sends it to ./run, and for `Ctrl-C` INT to its whole group; sets $got. It may have come to its end before.
ended() {
    case $1 in Ctrl-C) kill -s INT -- "-$job" ;; *) kill -s "$1" "$job" ;; esac 2>/dev/null || :
    got=0
    wait "$job" 2>/dev/null || got=$?
}
