"""A few processes that look at data for the wizards: begun when they are wanted, ended when a look is given up or takes too long."""

import json
import os
import select
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fastapi import HTTPException

from verglas.project.program import environment

COMMAND = (sys.executable, "-m", "verglas.web.wizards")
MOST = 2
"""Processes at a time."""
WAITING = 16
"""Looks that may wait for one."""
LIMIT = 180.0
"""Seconds for one look."""
TICK = 0.05


class Left(Exception):
    """Nobody wants the answer any more."""


class Ended(Exception):
    """The process has ended by itself."""


@dataclass
class Looker:
    """One process; `about`: what it last looked at, and so has in memory."""

    about: str = ""
    process: "subprocess.Popen[bytes]" = field(init=False)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())

    def ask(self, question: bytes, left: threading.Event, limit: float) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        out, found, end = self.process.stdout.fileno(), bytearray(), time.monotonic() + limit
        try:
            self.process.stdin.write(question + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Ended from error
        while not found.endswith(b"\n"):
            if left.is_set():
                raise Left
            if time.monotonic() > end:
                raise HTTPException(422, f"Looking was given up after {limit:.0f} s. The job itself has no such limit.")
            if select.select([out], [], [], TICK)[0]:
                part = os.read(out, 1 << 20)
                if not part:
                    raise Ended
                found += part
        answer: dict[str, Any] = json.loads(found)
        return answer

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was still to be written
                    pipe.close()


class Pool:
    """`ask` from any thread; `threads` are there to be waited in."""

    def __init__(self, most: int = MOST, limit: float = LIMIT) -> None:
        self.threads = ThreadPoolExecutor(most, "look")
        self.most, self.limit = most, limit
        self._free: list[Looker] = []
        self._busy: list[Looker] = []
        self._lock = threading.Lock()
        self._wanted = 0

    def enter(self) -> None:
        """Before a look is handed to `threads`; refused where too many wait."""
        with self._lock:
            if self._wanted >= WAITING:
                raise HTTPException(429, "Too many are looking at data just now. Try again in a minute.")
            self._wanted += 1

    def leave(self) -> None:
        """When it is answered."""
        with self._lock:
            self._wanted -= 1

    def ask(self, root: str, asked: dict[str, Any], left: threading.Event) -> dict[str, Any]:
        """What was found; raises HTTPException with what is wrong, Left when nobody waits."""
        about = f"{root} {asked['wizard']}"
        question = json.dumps({"root": root, "asked": asked}).encode()
        try:
            try:
                answer = self._ask(about, question, left)
            except Ended:  # one that was idle ends by itself; a new one is tried once
                answer = self._ask(about, question, left)
        except Ended as error:
            raise HTTPException(422, "Looking has failed: its process has ended, perhaps for want of memory.") from error
        if "found" in answer:
            return dict(answer["found"])
        raise HTTPException(int(answer["status"]), str(answer["detail"]))

    def _ask(self, about: str, question: bytes, left: threading.Event) -> dict[str, Any]:
        if left.is_set():
            raise Left
        looker = self._take(about)
        try:
            answer = looker.ask(question, left, self.limit)
        except BaseException:
            with self._lock:
                self._busy.remove(looker)
            looker.end()
            raise
        with self._lock:
            self._busy.remove(looker)
            self._free.append(looker)
        return answer

    def _take(self, about: str) -> Looker:
        """One that has looked at the same before, else the one that is free for longest, else a new one."""
        with self._lock:
            same = [one for one in self._free if one.about == about]
            free = same or (self._free if len(self._free) + len(self._busy) >= self.most else [])
            looker = free[0] if free else Looker()
            if free:
                self._free.remove(looker)
            looker.about = about
            self._busy.append(looker)
            return looker

    def end(self) -> None:
        """With the server."""
        with self._lock:
            for one in (*self._free, *self._busy):
                one.process.kill()


POOL = Pool()
