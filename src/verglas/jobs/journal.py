"""The voice of a job: run.out, run.err, events.jsonl and the terminal."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from verglas.units import clock


class Journal:
    """Collects lines and events in memory until `open` gives it a folder, then writes them there as they come."""

    def __init__(self, *, quiet: bool = False, every: float = 10.0, mute: bool = False) -> None:
        """`quiet`: nothing on the terminal (API, tests); `every`: seconds between progress lines in run.out; `mute`: nothing but errors."""
        self.quiet, self.mute = quiet or mute, mute
        self.started = time.monotonic()
        self.warnings: list[str] = []
        self.folder: Path | None = None
        self._pending: list[tuple[str, str]] = []
        self.progress = Progress(self._file_line, quiet=self.quiet, every=every)

    def open(self, folder: Path, *, keep: bool) -> None:
        """Write into `folder` from now on; `keep`: append to the files of an earlier run (a continuation)."""
        self.folder = folder
        if self.mute:
            return
        if not keep:
            for name in ("run.out", "run.err", "events.jsonl"):
                (folder / name).unlink(missing_ok=True)
        for name in ("run.out", "run.err"):
            (folder / name).touch()
        pending, self._pending = self._pending, []
        for name, line in pending:
            self._append(name, line)

    def log(self, text: str) -> None:
        self._file_line(text)
        if not self.quiet:
            self.progress.print(text, sys.stdout)

    def warn(self, text: str, in_report: bool = True) -> None:
        self.warnings.append(text)
        self._file_line(f"warning: {text}")
        self._append("run.err", f"warning: {text}")
        self.event("warning", text=text, in_report=in_report)
        if not self.quiet:
            self.progress.print(f"warning: {text}", sys.stderr)

    def error(self, text: str) -> None:
        """To run.err only; the command line shows its own short message."""
        self._append("run.err", text, always=True)

    def event(self, name: str, **numbers: object) -> None:
        row = {"time": round(time.monotonic() - self.started, 3), "event": name, **numbers}
        self._append("events.jsonl", json.dumps(row, default=plain, ensure_ascii=False))

    def close(self) -> None:
        self.progress.close()

    def _file_line(self, text: str) -> None:
        stamp = datetime.now().strftime("%H:%M:%S")
        self._append("run.out", "\n".join(f"{stamp} {line}" for line in text.splitlines() or [""]))

    def _append(self, name: str, line: str, always: bool = False) -> None:
        if self.mute and not always:
            return
        if self.folder is None:
            self._pending.append((name, line))
            return
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def plain(value: Any) -> Any:
    """Anything with .tolist() (numpy, torch) as Python numbers; paths as text; for json.dumps(default=)."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


@dataclass
class Progress:
    """Rate and time left of one stage at a time; `advance` is cheap to call often."""

    write: Callable[[str], None]
    quiet: bool = False
    every: float = 10.0
    _label: str = ""
    _begun: float = 0.0
    _first: int = 0
    _shown: float = 0.0
    _bar: Any = field(default=None, repr=False)
    _task: Any = field(default=None, repr=False)

    def advance(self, done: int, total: int, label: str) -> None:
        """`done` of `total` items of the stage `label` are finished."""
        now = time.monotonic()
        if label != self._label:
            self._label, self._begun, self._first, self._shown = label, now, done, now
            self._drop_bar()
        if now - self._shown >= self.every or (done >= total and now - self._begun >= self.every):
            self._shown = now
            self.write(progress_line(done, total, label, done - self._first, now - self._begun))
        if not self.quiet and sys.stdout.isatty():
            self._draw(done, total, label)

    def print(self, text: str, stream: TextIO) -> None:
        """A line above the bar, if one is shown."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=stream, flush=True)

    def close(self) -> None:
        self._drop_bar()
        self._label = ""

    def _draw(self, done: int, total: int, label: str) -> None:
        if self._bar is None:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(), transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(label, total=total, rate="")
        seconds = time.monotonic() - self._begun
        self._bar.update(self._task, completed=done, total=total, rate=_rate(done - self._first, seconds))
        if done >= total:
            self._drop_bar()

    def _drop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def progress_line(done: int, total: int, label: str, counted: int, seconds: float) -> str:
    """'label 120/1400, 35.1/s, 0:36 left'; rate over the `counted` items of the last `seconds`."""
    rate = _rate(counted, seconds)
    left = f", {clock((total - done) * seconds / counted)} left" if counted > 0 else ""
    return f"{label} {done}/{total}" + (f", {rate}" if rate else "") + left


def _rate(counted: int, seconds: float) -> str:
    if counted <= 0 or seconds <= 0:
        return ""
    rate = counted / seconds
    return f"{rate:.3g}/s" if rate >= 0.1 else f"{1 / rate:.3g} s each"
