"""A real Slurm on this machine: Debian's munge, slurmctld and slurmd, without systemd, in a folder of their own; two terminals pass for GPUs."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = """
ClusterName=verglas
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
GresTypes=gpu
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=1,sched_min_interval=0,defer_batch
MpiDefault=none
KillWait=30
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=2000 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
DAEMONS = ("munged", "slurmctld", "slurmd")


def missing_programs() -> str:
    """Why it cannot run here, empty when it can."""
    missing = [name for name in (*DAEMONS, "openssl") if shutil.which(name) is None]
    if missing:
        return f"needs {' '.join(missing)} (Debian: apt-get install slurm-wlm openssl)"
    return "" if os.getuid() == 0 else "Slurm's daemons are started as root"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(what: str, ready: Callable[[], object], seconds: float = 60.0) -> None:
    """Until it is so; an AssertionError when it takes longer."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)


@contextmanager
def slurm_here() -> Iterator[Path]:
    """The folder of a running Slurm, which its commands find through SLURM_CONF."""
    folder = Path(tempfile.mkdtemp(prefix="verglas-slurm-"))
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host = socket.gethostname().partition(".")[0]
    (folder / "slurm.conf").write_text(CONFIGURATION.format(host=host, folder=folder, ports=(_free_port(), _free_port())))
    (folder / "gres.conf").write_text("AutoDetect=off\nName=gpu File=/dev/tty[0-1]\n")
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    daemons: list[subprocess.Popen[bytes]] = []

    def begin(*words: str) -> None:
        with (folder / f"{words[0]}.out").open("w") as file:
            daemons.append(subprocess.Popen(words, stdout=file, stderr=file))

    try:
        begin("munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={folder}/munge.key",
              f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munged.seed", f"--log-file={folder}/munged.log")
        wait_for("munged", (folder / "munge.socket").exists)
        begin("slurmctld", "-D", "-i")
        begin("slurmd", "-D", "-c")
        wait_for("slurm", lambda: "idle" in subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True).stdout)
        yield folder
    finally:
        subprocess.run(["scancel", "--user", str(os.getuid())], capture_output=True)
        for one in reversed(daemons):
            one.terminate()
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()
        os.environ.pop("SLURM_CONF", None)
        shutil.rmtree(folder, ignore_errors=True)
