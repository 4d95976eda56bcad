# Sourced by the scripts here: Slurm with four nodes, n1 to n4, on this machine. The whole script runs in namespaces of its own: a network that
# has nothing but lo, and process numbers, so that daemons, steps and ranks end with the script, however it ends. Started by root the cluster is
# root's, and jobs are submitted by root and by nobody; started by a user it is this user's.
#
# Slurm comes from the system, or from build/slurm, where lib/fetch.sh unpacks it. Neither systemd nor cgroups are needed.
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
unpacked=$LAMINA_ROOT/build/slurm

# --- Outside: the namespaces ------------------------------------------------------------------------------------------------------

if [ -z "${LAMINA_TEST_CLUSTER:-}" ]; then
    "$LAMINA" info | grep -q '^MPI .*Open MPI' || skip "this build's MPI is not Open MPI, and another one would need another Slurm than Debian's"
    if ! { command -v slurmctld && command -v slurmd && command -v munged && command -v srun; } >/dev/null 2>&1; then
        [ -e "$unpacked/complete" ] || skip "Slurm is not here; to fetch it without installing: sh tests/slurm/lib/fetch.sh build/slurm"
    fi
    command -v ip >/dev/null || skip "ip is not here: apt-get install --no-install-recommends iproute2"
    namespaces="--net --uts --pid --fork --kill-child --mount-proc"
    [ "$(id -u)" -eq 0 ] || namespaces="--map-current-user --keep-caps $namespaces"
    # shellcheck disable=SC2086  # words
    unshare $namespaces ip link set lo up 2>/dev/null || skip "this machine does not let user $(id -un) make namespaces (unshare)"
    LAMINA_TEST_CLUSTER=$(mktemp -d "${TMPDIR:-/tmp}/slurm.XXXXXX") # short: sockets have names of at most 107 bytes
    export LAMINA_TEST_CLUSTER
    trap 'rm -rf "$LAMINA_TEST_CLUSTER"' EXIT
    trap 'kill -KILL "$inside"' TERM INT HUP
    # shellcheck disable=SC2086
    setpriv --pdeathsig KILL unshare $namespaces sh "$0" &
    inside=$!
    code=0
    wait "$inside" || code=$?
    exit "$code"
fi

# --- Inside: the daemons ----------------------------------------------------------------------------------------------------------

# lo needs a second address: with 127.0.0.1 alone the C library takes the machine for one without a network and resolves nothing.
ip link set lo up
ip addr add 10.1.1.1/32 dev lo
hostname localhost
cluster=$LAMINA_TEST_CLUSTER
chmod 755 "$cluster"
cd "$cluster"
user=$(id -un)
plugins=
if [ -e "$unpacked/complete" ]; then
    slurm=$(echo "$unpacked"/usr/lib/*/slurm-wlm)
    PATH=$unpacked/usr/sbin:$unpacked/usr/bin:$PATH
    export LD_LIBRARY_PATH="$slurm:${slurm%/*}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    mkdir bin # Debian's alternatives, which an unpacked package lacks
    for daemon in slurmctld slurmd slurmstepd; do ln -s "$unpacked/usr/sbin/$daemon-wlm" "bin/$daemon"; done
    PATH=$cluster/bin:$PATH
    plugins="PluginDir=$slurm"
fi
# shellcheck disable=SC2046  # names: this may itself run in a job
unset $(env | sed -n 's/^\(\(SLURM\|SBATCH\|SALLOC\|PMI\|PMIX\|OMPI_COMM\)_[A-Z0-9_]*\)=.*/\1/p') LAMINA_PMI LAMINA_SITE
export PATH SLURM_CONF="$cluster/slurm.conf" TMPDIR="$cluster/session" # where Open MPI keeps its sockets
export OMPI_MCA_oob_tcp_if_include=lo OMPI_MCA_btl_tcp_if_include=lo # mpirun, for comparison

write_config() {
    cat >slurm.conf <<END
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$cluster/munge/socket
$plugins
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool/%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/log/slurmctld
SlurmdLogFile=$cluster/log/slurmd-%n
TmpFS=$cluster/tmp/%n
PlugStackConfig=$cluster/plugstack.conf
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog=$cluster/prolog
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=${kill_wait:-60}
SlurmdTimeout=10
MailProg=/bin/true
NodeName=n[1-4] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[17001-17004] CPUs=4 RealMemory=100000
PartitionName=all Nodes=n[1-4] Default=YES OverSubscribe=YES State=UP
END
    : >plugstack.conf
    # four nodes on one host: no shared memory between them, no binding to the same core
    cat >prolog <<'END'
#!/bin/sh
echo export OMPI_MCA_btl=self,tcp
echo export OMPI_MCA_btl_tcp_if_include=lo
echo export OMPI_MCA_hwloc_base_binding_policy=none
echo export OMPI_MCA_mpi_yield_when_idle=1
END
    chmod 755 prolog
}

start_munge() {
    mkdir munge && chmod 755 munge
    dd if=/dev/urandom of=munge/key bs=1024 count=1 2>/dev/null
    chmod 400 munge/key
    munged --key-file="$cluster/munge/key" --socket="$cluster/munge/socket" --pid-file="$cluster/munge/pid" --log-file="$cluster/munge/log" \
        --seed-file="$cluster/munge/seed" 2>munge/err || { cat munge/err munge/log >&2 && fail "munged does not start"; }
}

start_node() { slurmd -c -N "$1" ${plugins:+-d "$cluster/bin/slurmstepd"} || fail "slurmd of $1 does not start: $(cat "log/slurmd-$1")"; }

# What Slurm calls idle may not be ready: a step on all nodes shows it.
start_cluster() {
    mkdir state log spool tmp session
    chmod 1777 session
    for node in n1 n2 n3 n4; do mkdir "spool/$node" "tmp/$node" && chmod 1777 "tmp/$node"; done
    write_config
    start_munge
    slurmctld -c -i 2>log/err || { cat log/err log/slurmctld >&2 && fail "slurmctld does not start"; }
    for node in n1 n2 n3 n4; do start_node "$node"; done
    tries=0
    until [ "$(srun -N 4 -n 4 true 2>/dev/null && echo ready)" = ready ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 50 ] || fail "the cluster is not ready: $(sinfo; cat log/slurmctld)"
        sleep 0.2
    done
}

# The binary and the scripts where other users can read them, and a folder for jobs that everybody may write to.
fill_folders() {
    mkdir -p lamina/build/release lamina/slurm
    cp "$LAMINA" lamina/build/release/lamina
    cp "$LAMINA_ROOT"/slurm/* lamina/slurm/
    LAMINA=$cluster/lamina/build/release/lamina
    mkdir jobs && chmod 1777 jobs
    cd jobs
}

start_cluster
fill_folders

# --- Words of the tests -----------------------------------------------------------------------------------------------------------

# those who submit: root, and an ordinary user who is everywhere
users() { [ "$(id -u)" -eq 0 ] && echo root nobody || id -un; }
# as USER COMMAND...: HOME is where that user may write.
as() {
    if [ "$1" = "$(id -un)" ]; then
        shift
        "$@"
    else
        name=$1
        shift
        setpriv --reuid="$name" --regid="$(id -g "$name")" --clear-groups env HOME="$cluster/jobs" USER="$name" "$@"
    fi
}

# field JOB NAME: of what Slurm knows of the job.
field() { scontrol -o show job "$1" 2>/dev/null | sed -n "1s/.* $2=\([^ ]*\) .*/\1/p"; }

# until_state JOB REGEX [SECONDS]
until_state() {
    tries=0
    until field "$1" JobState | grep -qxE "$2"; do
        tries=$((tries + 1))
        [ "$tries" -lt $((${3:-120} * 5)) ] || {
            scontrol show job "$1" >&2
            cat "slurm-$1.out" >&2 || true
            fail "job $1 is $(field "$1" JobState) and not $2"
        }
        sleep 0.2
    done
}

# ended JOB STATE CODE [SECONDS]: the job has this end.
ended() {
    until_state "$1" 'COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL' "${4:-120}"
    tries=0 # slurm-N.out is complete when the nodes are done with the job
    while squeue -h -j "$1" 2>/dev/null | grep -q .; do
        tries=$((tries + 1))
        [ "$tries" -lt 150 ] || fail "job $1 does not end"
        sleep 0.2
    done
    if [ "$(field "$1" JobState) $(field "$1" ExitCode)" != "$2 $3:0" ]; then
        cat "slurm-$1.out" >&2 || true
        fail "job $1 ended as $(field "$1" JobState) $(field "$1" ExitCode), not as $2 $3:0"
    fi
}

# until_step METRICS N: the run has done so many steps.
until_step() {
    tries=0
    until [ "$(grep -c '"kind":"step"' "$1" 2>/dev/null || true)" -ge "$2" ] 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || fail "$1: no step $2 after two minutes: $(cat slurm-*.out)"
        sleep 0.2
    done
}

# requeued JOB [SECONDS]: it is back in the queue; its next start is now. (Within a second or two of the requeue Slurm would kill it instead.)
requeued() {
    until_state "$1" PENDING "${2:-120}"
    same "$(field "$1" Restarts)" 1 "starts again of job $1"
    sleep 3
    scontrol update jobid="$1" starttime=now
}

# plain FILE...: what people and programs read from a log: no carriage return, no escape sequence.
plain() {
    for log; do
        [ -s "$log" ] || fail "$log: empty or not there"
        if LC_ALL=C grep -qE "$(printf '[\r\033]')" "$log"; then fail "$log holds \\r or an escape"; fi
    done
}

# unreachable: how often somebody here has tried to reach what is not on lo (the kernel counts packets without a route).
unreachable() {
    awk '/^Ip:/ { if (n) print $n; else for (i = 1; i <= NF; i++) if ($i == "OutNoRoutes") n = i }' /proc/net/snmp >counters
    sed -n 's/^Ip6OutNoRoutes[^0-9]*//p' /proc/net/snmp6 2>/dev/null >>counters || true
    awk '{ sum += $1 } END { print sum + 0 }' counters
}
