"""A SLURM cluster of one node on the loopback address, from Debian's packages; for tests.

    python tests/system/slurm/cluster.py start     installs what is missing; needs root
    python tests/system/slurm/cluster.py stop      ends what start began, and nothing else

Daemons are those of Debian's slurm-wlm and munge. /dev/null and /dev/zero pass for
GPUs, so that jobs that ask for one are scheduled.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PACKAGES = ("slurm-wlm", "slurm-client", "munge")
CONFIGURATION = Path("/etc/slurm")
STATE = Path("/run/topdb-slurm")
PID_FILES = {
    "slurmd": STATE / "slurmd.pid",
    "slurmctld": STATE / "slurmctld.pid",
    "munged": Path("/run/munge/munged.pid"),
}
CORES = len(os.sched_getaffinity(0))
SLURM_CONF = """\
# Written by tests/system/slurm/cluster.py of topdb.
ClusterName=topdb
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CommunicationParameters=NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0
GresTypes=gpu
MinJobAge=300
ReturnToService=2
SlurmdTimeout=10
KillWait=5
StateSaveLocation={state}/ctld
SlurmdSpoolDir={state}/d
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:2
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class UnavailableError(Exception):
    """This machine cannot run the cluster; the message says why."""


def start() -> None:
    """Install what is missing, and start munged, slurmctld and slurmd.

    Raises
    ------
    UnavailableError
        Not root, no Debian, packages out of reach, or another SLURM is configured here.
    """
    _install()
    for folder in (STATE / "ctld", STATE / "d", CONFIGURATION, Path("/run/munge")):
        folder.mkdir(parents=True, exist_ok=True)
    host = os.uname().nodename.split(".")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 - 500
    config = SLURM_CONF.format(host=host, state=STATE, cores=CORES, memory=memory)
    (CONFIGURATION / "slurm.conf").write_text(config)
    (CONFIGURATION / "gres.conf").write_text(
        f"NodeName={host} Name=gpu File=/dev/null\nNodeName={host} Name=gpu File=/dev/zero\n"
    )
    shutil.chown("/run/munge", "munge", "munge")
    _daemon("munged", "runuser", "-u", "munge", "--")
    _wait("munge", lambda: _succeeds("munge", "--no-input"))
    _daemon("slurmctld")
    start_node()


def start_node() -> None:
    """Start slurmd, and wait until jobs can run."""
    _daemon("slurmd")
    _wait("the node", lambda: _output("sinfo", "-h", "-o", "%t") in ("idle", "mix", "alloc"))


def stop() -> None:
    """Cancel all jobs, end the daemons that `start` began, and remove their files."""
    if not STATE.exists():
        return
    subprocess.run(["scancel", "--user", "root"], capture_output=True, check=False)
    for name in PID_FILES:
        end(name, signal.SIGTERM)
    (CONFIGURATION / "gres.conf").unlink(missing_ok=True)
    (CONFIGURATION / "slurm.conf").unlink(missing_ok=True)
    shutil.rmtree(STATE)


def end(name: str, with_signal: signal.Signals) -> None:
    """Send a daemon a signal, and wait for its end."""
    file = PID_FILES[name]
    if file.exists():
        pid = int(file.read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, with_signal)
        _wait(f"the end of {name}", lambda: not _succeeds("pgrep", "-x", name))
        file.unlink(missing_ok=True)


def installed() -> bool:
    """Whether the programs are here."""
    return all(map(shutil.which, ("munged", "slurmctld", "slurmd", "sbatch")))


def _install() -> None:
    if os.geteuid() != 0:
        raise UnavailableError("a SLURM cluster of one's own needs root")
    for name in PID_FILES:
        if _succeeds("pgrep", "-x", name):
            raise UnavailableError(f"another {name} runs on this machine")
    known = CONFIGURATION / "slurm.conf"
    if known.exists() and not _ours(known):
        raise UnavailableError(f"{known} is another cluster's")
    if installed():
        return
    if not shutil.which("apt-get"):
        raise UnavailableError("there is no apt-get to install slurm-wlm with")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(
            ["apt-get", "-qq", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode and command != ["update"]:
            raise UnavailableError(f"apt-get does not get slurm-wlm: {done.stderr.strip()[-200:]}")


def _daemon(name: str, *before: str) -> None:
    done = subprocess.run([*before, name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} does not start: {done.stderr.strip()[-500:]}")


def _wait(what: str, condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(
                f"{what} does not come within {seconds:g} s: see the logs in {STATE}"
            )
        time.sleep(0.2)


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _ours(slurm_conf: Path) -> bool:
    return slurm_conf.read_text().startswith(SLURM_CONF.splitlines()[0])


def main() -> None:
    if sys.argv[1:] not in (["start"], ["stop"]):
        sys.exit(__doc__)
    try:
        start() if sys.argv[1] == "start" else stop()
    except UnavailableError as error:
        sys.exit(f"no cluster here: {error}")


if __name__ == "__main__":
    main()
