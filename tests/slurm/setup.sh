#!/usr/bin/env bash
# A SLURM of five nodes, all this machine, with accounts: munge, MariaDB, slurmdbd, controller and node daemons, set up
# and waited for until jobs can run. Needs root and Debian's packages slurm-wlm, slurmdbd, mariadb-server and munge;
# takes over /etc/slurm. Run it again after a restart.
set -euo pipefail

wait_seconds=60
state=/var/lib/slurm-test
host=$(hostname -s)
nodes=(test1 test2 test3 test4 test5)
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
stores() { timeout 10 mariadb --execute "SELECT 1"; }
knows_accounts() { timeout 10 sacctmgr --noheader show cluster; }
answers() { timeout 10 scontrol ping | grep -q UP; }
is_registered() { [[ $(timeout 10 sacctmgr --noheader show cluster test format=controlport) =~ [1-9] ]]; }
are_idle() { [[ $(timeout 10 sinfo --partition test,lossy,urgent --noheader --format %T | sort -u) == idle ]]; }

mkdir -p /etc/slurm "$state/controller" "${nodes[@]/#/$state/}"
cat >/etc/slurm/slurmdbd.conf <<CONF
DbdHost=localhost
SlurmUser=root
AuthType=auth/munge
StorageType=accounting_storage/mysql
StorageUser=root
LogFile=$state/slurmdbd.log
PidFile=$state/slurmdbd.pid
CONF
chmod 600 /etc/slurm/slurmdbd.conf
cat >/etc/slurm/slurm.conf <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
# No cgroups: a container may not have them, or not let us write to them. A job that takes more memory than it asked for
# is ended by the daemon that measures it.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill,UsePss
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=5
# Jobs of the partition "urgent" take the place of those of "low", which have five minutes to save and are queued again.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
# For slow machines: how long a job that is told to stop may take, and how long squeue knows jobs that have ended.
KillWait=120
MinJobAge=600
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
NodeName=test[1-5] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17001-17005] CPUs=$cpus RealMemory=$megabytes State=UNKNOWN
PartitionName=test Nodes=test[1-2] Default=YES MaxTime=INFINITE State=UP
# What happens to one of these nodes happens to no other job.
PartitionName=lossy Nodes=test[3-4] MaxTime=INFINITE State=UP
PartitionName=low Nodes=test5 MaxTime=INFINITE PriorityTier=1 GraceTime=300 State=UP
PartitionName=urgent Nodes=test5 MaxTime=INFINITE PriorityTier=2 State=UP
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
if ! stores >/dev/null 2>&1; then
    install -d -o mysql -g mysql -m 755 /run/mysqld
    setsid mariadbd --user=mysql --skip-networking >>"$state/mariadb.log" 2>&1 </dev/null &
fi
wait_until "answer from MariaDB" stores
if ! knows_accounts >/dev/null 2>&1; then
    slurmdbd >>"$state/start.log" 2>&1 </dev/null || true # the wait below says what is wrong
fi
wait_until "answer from slurmdbd" knows_accounts
if ! answers; then
    slurmctld >>"$state/start.log" 2>&1 </dev/null || true
fi
wait_until "answer from slurmctld" answers
wait_until "cluster in slurmdbd" is_registered
for node in "${nodes[@]}"; do
    if [[ ! -s $state/$node.pid ]] || ! kill -0 "$(<"$state/$node.pid")" 2>/dev/null; then
        slurmd -N "$node" >>"$state/start.log" 2>&1 </dev/null || true
    fi
done
wait_until "idle nodes" are_idle
# Every job has an account, which its user's default is.
sacctmgr --immediate --quiet add account lab >/dev/null || true
sacctmgr --immediate --quiet add user root account=lab >/dev/null || true
sinfo
