"""How far a job is: read from run.out and events.jsonl, only the parts that are new or at the end."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from verglas.units import clock

LINE = re.compile(r"(?:\d\d:\d\d:\d\d )?(?P<label>.*?) (?P<done>\d{1,15})/(?P<total>\d{1,15})(?P<rest>, .*)?$")
ENDED = re.compile(r"(?:\d\d:\d\d:\d\d )?(?:last )?iteration\b[^/]*: ")
LIMIT = re.compile(r"_(A|deg|px|gb|s)$")
UNITS = {"A": "Å", "deg": "°", "px": "px", "gb": "GB", "s": "s"}
WORDS = {
    "resolution": "Resolution",
    "current_size": "Image size in use",
    "offset_range": "Search range of offsets",
    "step_size": "Step size",
    "ave_pmax": "Mean of the largest probability",
    "particles": "Particles used",
    "angular_step": "Angular step",
    "change_angles": "Change of angles",
    "change_offsets": "Change of offsets",
    "accuracy_rot": "Accuracy of rotations",
    "accuracy_trans": "Accuracy of offsets",
    "significant": "Significant samples",
    "effective_poses": "Poses in use",
    "offset_step": "Step of offsets",
    "coarse_size": "Image size of the coarse search",
    "healpix_order": "Healpix order",
    "switched": "Share that changed class",
    "subset": "Particles used",
    "classes": "Classes in use",
    "volume": "Volume, Å³",
    "kilodalton": "Mass, kDa",
    "box_fraction": "Share of the box",
    "radius": "Radius, Å",
}
FIRST = (
    "resolution_A",
    "ave_pmax",
    "change_angles_deg",
    "change_offsets_A",
    "angular_step_deg",
    "switched",
    "particles",
    "subset",
    "effective_poses",
)
"""These plots come first."""


class Progress(NamedTuple):
    """`share` 0 to 1; `label` of the stage; `words`: 120 of 1400, 35.1/s, 0:36 left."""

    share: float
    label: str
    words: str


def progress(log: str) -> Progress | None:
    """From the last line of progress among the last lines of run.out, unless an iteration has ended since."""
    for line in reversed(log.splitlines()[-30:]):
        if ENDED.match(line):
            return None
        found = LINE.match(line)
        if found and int(found["total"]) > 0 and int(found["done"]) <= int(found["total"]):
            done, total = int(found["done"]), int(found["total"])
            return Progress(done / total, found["label"], f"{done} of {total}{found['rest'] or ''}")
    return None


def turns(job: str, params: Mapping[str, Any]) -> int | None:
    """How many iterations a job is to have, where that is known before; a refinement ends by itself."""
    if job == "class2d":
        return int(params.get("iterations") or (200 if params.get("algorithm", "vdam") == "vdam" else 25))
    name = {"initialmodel": "mini_batches", "class3d": "iterations"}.get(job)
    return int(params[name]) if name and params.get(name) else None


def overall(rows: Sequence[Mapping[str, Any]], total: int) -> Progress | None:
    """From the events of the iterations; the time that is left by the last ten, which are the slowest."""
    done = [(int(row["iteration"]), float(row["time"])) for row in rows if "iteration" in row and "time" in row]
    if not done:
        return Progress(0.0, "Iterations", f"0 of {total}")
    if done[-1][0] > total:
        return None
    begun = [one for one in done[-11:] if one[1] <= done[-1][1] and one[0] <= done[-1][0]]
    (first, start), (last, end) = begun[0], begun[-1]
    left = f", {clock((total - last) * (end - start) / (last - first))} left" if last > first else ""
    return Progress(last / total, "Iterations", f"{last} of {total}{left}")


@dataclass
class Events:
    """events.jsonl as it grows; `read` takes what is new. A line that is not whole yet waits."""

    path: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    _offset: int = 0

    def read(self) -> bool:
        """Whether anything came."""
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) < self._offset:  # the job was started again
                    self._offset, self.rows = 0, []
                file.seek(self._offset)
                content = file.read()
        except OSError:
            return False
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        new = [row for line in whole.splitlines() if (row := _row(line))]
        self.rows += new
        return bool(new)

    def warnings(self) -> list[str]:
        return list(dict.fromkeys(str(row.get("text", "")) for row in self.rows if row.get("event") == "warning"))

    def of(self, *names: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row.get("event") in names]


def _row(line: bytes) -> dict[str, Any] | None:
    """None where it is no event. A name with a unit, and the number of an iteration, stand for numbers; others are left out."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        return None
    return {name: value for name, value in found.items() if _is_number(value) or not (LIMIT.search(name) or name in ("iteration", "time"))}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def series(rows: Iterable[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Name of a number -> (iteration, number) of the iterations that tell it; those that never change are left out."""
    found: dict[str, list[tuple[float, float]]] = {}
    for place, row in enumerate(rows, 1):
        for name, value in row.items():
            if _is_number(value) and name not in ("time", "iteration") and not _unknown(name, value):
                found.setdefault(name, []).append((row.get("iteration", place), value))
    kept = {name: points for name, points in found.items() if len({value for _, value in points}) > 1}
    return dict(sorted(kept.items(), key=lambda pair: FIRST.index(pair[0]) if pair[0] in FIRST else len(FIRST)))


def _unknown(name: str, value: float) -> bool:
    """999 stands for a change of poses where there are none to compare with."""
    return name.startswith("change_") and value >= 999


def words_of(name: str) -> str:
    """resolution_A -> Resolution, Å."""
    unit = LIMIT.search(name)
    bare = name[: unit.start()] if unit else name
    words = WORDS.get(bare, bare.replace("_", " ").capitalize())
    return f"{words}, {UNITS[unit[1]]}" if unit else words
