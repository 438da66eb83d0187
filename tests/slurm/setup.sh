#!/usr/bin/env bash
# A SLURM of two nodes, both this machine: munge, controller and node daemons, set up and waited for until jobs can run.
# Needs root and Debian's packages slurm-wlm and munge; takes over /etc/slurm. Run it again after a restart.
set -euo pipefail

wait_seconds=60
state=/var/lib/slurm-test
host=$(hostname -s)
nodes=(test1 test2)
cpus=$(nproc)
megabytes=$(($(awk '/^MemTotal:/ {print $2}' /proc/meminfo) / 1024))
# What a container may use can be less than what the machine has.
if limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null) && [[ $limit =~ ^[0-9]+$ ]] && ((limit >> 20 < megabytes)); then
    megabytes=$((limit >> 20))
fi

# Repeat a command, given after what it shows, until it succeeds or the time is over.
wait_until() {
    local what=$1 end=$((SECONDS + wait_seconds))
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= end)); then
            echo "tests/slurm/setup.sh: no $what after $wait_seconds seconds" >&2
            tail -n 30 "$state"/*.log >&2 || true
            exit 1
        fi
        sleep 0.5
    done
}

authenticates() { timeout 10 munge --no-input | timeout 10 unmunge; }
answers() { timeout 10 scontrol ping | grep -q UP; }
are_idle() { [[ $(timeout 10 sinfo --noheader --Node --format %T) == $'idle\nidle' ]]; }

mkdir -p /etc/slurm "$state/controller" "${nodes[@]/#/$state/}"
cat >/etc/slurm/slurm.conf <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
# No cgroups: a container may not have them, or not let us write to them.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=5
ReturnToService=2
SlurmdTimeout=300
# Each node claims all of the machine, so that a job on both has what a job on one has.
SlurmdParameters=config_overrides
MpiDefault=none
StateSaveLocation=$state/controller
SlurmdSpoolDir=$state/%n
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/%n.log
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/%n.pid
NodeName=test[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17001-17002] CPUs=$cpus RealMemory=$megabytes State=UNKNOWN
PartitionName=test Nodes=test[1-2] Default=YES MaxTime=INFINITE State=UP
CONF
# Nothing above uses it, but a node wants one that it can load, and this one looks for no cgroups until it is used.
printf 'CgroupPlugin=cgroup/v1\n' >/etc/slurm/cgroup.conf

if ! authenticates >/dev/null 2>&1; then
    if [[ ! -s /etc/munge/munge.key ]]; then
        head -c 1024 /dev/urandom >/etc/munge/munge.key
    fi
    chown munge: /etc/munge/munge.key
    chmod 400 /etc/munge/munge.key
    install -d -o munge -g munge -m 755 /run/munge
    install -d -o munge -g munge -m 700 /var/log/munge /var/lib/munge
    runuser -u munge -- /usr/sbin/munged --force
fi
wait_until "answer from munge" authenticates

# Output elsewhere: a daemon that holds the terminal's would keep whoever waits for the end of it waiting.
if ! answers; then
    slurmctld >>"$state/start.log" 2>&1 </dev/null || true # the wait below says what is wrong
fi
wait_until "answer from slurmctld" answers
for node in "${nodes[@]}"; do
    if [[ ! -s $state/$node.pid ]] || ! kill -0 "$(<"$state/$node.pid")" 2>/dev/null; then
        slurmd -N "$node" >>"$state/start.log" 2>&1 </dev/null || true
    fi
done
wait_until "two idle nodes" are_idle
sinfo
