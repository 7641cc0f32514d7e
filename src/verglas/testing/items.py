"""Work on items for tests of workers; worker processes must be able to import it."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from verglas.errors import InputError


@dataclass(frozen=True)
class Square:
    """index -> {"square": index^2}; `bad` fail, `deadly` end their process the first time; each leaves a mark in `folder`."""

    folder: Path
    bad: tuple[int, ...] = ()
    deadly: tuple[int, ...] = ()
    seconds: float = 0.0

    def __call__(self, index: int) -> dict[str, object]:
        mark = self.folder / f"mark{index}"
        first = not mark.exists()
        with mark.open("a") as file:
            file.write("x")
        time.sleep(self.seconds)
        if index in self.deadly and first:
            os.kill(os.getpid(), signal.SIGKILL)
        if index in self.bad:
            raise InputError("no such movie", remedy="look")
        return {"square": index**2}


@dataclass(frozen=True)
class Meeting:
    """index -> {"square": index^2}, as soon as as many items are under way as `table` has places."""

    table: threading.Barrier

    def __call__(self, index: int) -> dict[str, object]:
        self.table.wait(timeout=20)
        return {"square": index**2}
