"""Keeps report.html fresh while a job runs, in a process of its own, for a bounded share of the time."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from verglas.report.data import State

FIRST_COST = 1.0
"""Seconds a rendering is taken to need before one has been measured."""


class LiveReport:
    """`update()` as often as you like; renderings take at most `share` of the elapsed time and never overlap."""

    def __init__(self, job_dir: Path, share: float = 0.05) -> None:
        """`share`: seconds of rendering per second of running, 0..1."""
        self.job_dir, self.share = Path(job_dir), share
        self.problem = ""
        """What the last failed rendering said; a report that fails must not stop its job, but should be seen."""
        self._begun = time.monotonic()
        self._spent, self._cost = 0.0, FIRST_COST
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: threading.Thread | None = None

    def update(self) -> bool:
        """Start a rendering if none is running and there is time for one; True when one was started."""
        elapsed = time.monotonic() - self._begun
        if self.busy or self._spent + self._cost > self.share * elapsed:
            return False
        started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "verglas.report", str(self.job_dir), "--nice"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self._watcher = threading.Thread(target=self._watch, args=(self._process, started), daemon=True)
        self._watcher.start()
        return True

    def close(self, state: State | None = None) -> Path:
        """Wait for a running rendering and write the last page here and now; `state` as in `build_report`."""
        from verglas.report.build import build_report

        self.wait()
        return build_report(self.job_dir, state=state)

    def wait(self) -> None:
        """Until no rendering is running."""
        if self._watcher is not None:
            self._watcher.join()

    @property
    def busy(self) -> bool:
        return self._watcher is not None and self._watcher.is_alive()

    def _watch(self, process: "subprocess.Popen[bytes]", started: float) -> None:
        """Runs in a thread: collect what the rendering says, then its cost."""
        said = process.communicate()[1].decode("utf-8", "replace").strip()
        self._cost = time.monotonic() - started
        self._spent += self._cost
        self.problem = "" if process.returncode == 0 else (said.splitlines() or [f"exit code {process.returncode}"])[-1]
