"""What a surface shows, for ChimeraX: a script of its commands, alone or packed with its maps."""

import io
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

PLAIN = "#7fb6cc"
COLOURS = ("#215ebf", "#ebebc7", "#c22924")
"""From the low to the high end, as on the page."""
CHUNK = 1 << 20


def script(maps: list[str], level: float, ends: tuple[float, float]) -> str:
    """Commands, one per line. maps: the one that is drawn, and one that colours it between two values. ChimeraX looks for a name without a
    folder beside the script."""
    lines = [f"open {quoted(maps[0])} id #1", f"volume #1 style surface step 1 level {level:.6g} color {PLAIN}"]
    if len(maps) > 1:
        steps = (ends[0], (ends[0] + ends[1]) / 2, ends[1])
        palette = ":".join(f"{value:.6g},{colour}" for value, colour in zip(steps, COLOURS))
        lines += [f"open {quoted(maps[1])} id #2", "hide #2 models", f"color sample #1 map #2 palette {palette} key true"]
    return "\n".join([*lines, "set bgColor white", "lighting soft", "view #1", ""])


def quoted(path: str) -> str:
    """A file name as one word of a command; no name can end the line."""
    clean = "".join(one for one in path if one.isprintable())
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def zipped(name: str, text: str, files: dict[str, Path]) -> Iterator[bytes]:
    """A .zip as it is made, so that a large map is never in memory as a whole."""
    out = Sink()
    with ZipFile(out, "w", ZIP_STORED) as archive:
        archive.writestr(name, text)
        for inside, path in files.items():
            entry = ZipInfo(inside)
            entry.file_size = path.stat().st_size
            with archive.open(entry, "w") as target, path.open("rb") as source:
                while chunk := source.read(CHUNK):
                    target.write(chunk)
                    yield out.take()
    yield out.take()


class Sink(io.RawIOBase):
    """Takes bytes and gives them on."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:  # type: ignore[no-untyped-def, override]
        self.parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        found, self.parts = b"".join(self.parts), []
        return found
