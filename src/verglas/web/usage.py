"""What a running job of this machine takes at the moment: CPUs and memory of its processes."""

import platform
import time
from contextlib import suppress
from pathlib import Path

import psutil

from verglas.errors import VerglasError
from verglas.jobs.folder import JOB_FILE
from verglas.jobs.provenance import read_record


class Usage:
    """Asked again and again; CPUs are the mean since the last time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds: dict[int, float] = {}
        self.moment = 0.0

    def words(self) -> str:
        """1.9 CPUs and 0.7 GB of memory in use; "" where it does not run here."""
        mine = self._processes()
        seconds, memory = dict[int, float](), 0
        for one in mine:
            with suppress(psutil.Error), one.oneshot():
                times = one.cpu_times()
                seconds[one.pid] = times.user + times.system
                memory += one.memory_info().rss
        now = time.monotonic()
        worked = sum(value - self.seconds[pid] for pid, value in seconds.items() if pid in self.seconds)
        busy = f"{worked / (now - self.moment):.1f} CPUs and " if self.seconds and now > self.moment else ""
        self.seconds, self.moment = seconds, now
        return f"{busy}{memory / 1e9:.2g} GB of memory in use" if memory else ""

    def _processes(self) -> list[psutil.Process]:
        """That of job.json and its children; a number that belongs to somebody else by now does not count."""
        try:
            record = read_record(self.folder)
            if record.get("hardware", {}).get("host") != platform.node():
                return []
            first = psutil.Process(int(record["process"]))
            if first.create_time() > (self.folder / JOB_FILE).stat().st_mtime:
                return []
            return [first, *first.children(recursive=True)]
        except (VerglasError, psutil.Error, OSError, KeyError, ValueError, TypeError):
            return []
