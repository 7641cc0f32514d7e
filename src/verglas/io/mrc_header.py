"""The 1024-byte MRC2014 header: both byte orders, modes 0, 1, 2, 6, 12 (float16) and 101 (4-bit)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verglas.errors import DataError, InputError

HEADER_BYTES = 1024
_FIELDS: list[tuple[Any, ...]] = [
    ("shape", "i4", 3), ("mode", "i4"), ("start", "i4", 3), ("sampling", "i4", 3), ("cell", "f4", 3), ("angles", "f4", 3),
    ("axes", "i4", 3), ("dmin", "f4"), ("dmax", "f4"), ("dmean", "f4"), ("space_group", "i4"), ("extended", "i4"),
    ("extra1", "V8"), ("exttyp", "S4"), ("version", "i4"), ("extra2", "V40"), ("imod_stamp", "i4"), ("imod_flags", "i4"),
    ("extra3", "V36"), ("origin", "f4", 3), ("magic", "S4"), ("machine", "u1", 4), ("rms", "f4"), ("labels_used", "i4"), ("labels", "S80", 10),
]
_TYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2", 101: "u1"}
MODE_OF = {"float32": 2, "float16": 12}
_IMOD_STAMP = 1146047817


def header_dtype(order: str) -> np.dtype:
    """The header as a structured type; order '<' or '>'."""
    return np.dtype([(name, order + kind if kind[0] in "if" else kind, *rest) for name, kind, *rest in _FIELDS])


@dataclass(frozen=True)
class MrcHeader:
    """shape (sections, rows, columns) as stored; voxel Å along the stored columns, rows, sections (0 where unknown); axes: 1, 2, 3 = x, y, z
    for columns, rows, sections; start in voxels and origin in Å as in the file, (x, y, z) order for origin, stored order for start."""

    path: str
    shape: tuple[int, int, int]
    mode: int
    dtype: np.dtype
    voxel: tuple[float, float, float]
    axes: tuple[int, int, int]
    start: tuple[int, int, int]
    origin: tuple[float, float, float]
    space_group: int
    offset: int
    dmin: float
    dmax: float
    dmean: float
    rms: float

    @property
    def row_bytes(self) -> int:
        """Bytes of one stored row; 4-bit rows are rounded up to whole bytes."""
        return (self.shape[2] + 1) // 2 if self.mode == 101 else self.shape[2] * self.dtype.itemsize

    @property
    def image_bytes(self) -> int:
        return self.shape[1] * self.row_bytes

    @property
    def pixel_size(self) -> float:
        """Å along the columns; 0 when the file does not say."""
        return self.voxel[0]


def read_header(path: Path) -> MrcHeader:
    """Parse and check the header, including that the file is as long as it says."""
    try:
        with path.open("rb") as handle:
            raw = handle.read(HEADER_BYTES)
            size = handle.seek(0, 2)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), remedy="check the path and its permissions") from error
    if len(raw) < HEADER_BYTES:
        raise DataError(f"{len(raw)} bytes, shorter than an MRC header ({HEADER_BYTES})", where=str(path), remedy="copy or make the file again")
    header = parse_header(raw, str(path))
    expected = header.offset + header.shape[0] * header.image_bytes
    if size < expected:
        whole = max(size - header.offset, 0) // max(header.image_bytes, 1)
        raise DataError(
            f"truncated: {size} bytes, but its header promises {expected} ({header.shape[0]} sections, of which {whole} are complete)",
            where=str(path), remedy="copy or make the file again",
        )
    return header


def parse_header(raw: bytes, path: str) -> MrcHeader:
    """The first HEADER_BYTES of a file as its header; `path` is for messages."""
    order = _byte_order(raw, path)
    fields = np.frombuffer(raw, dtype=header_dtype(order))[0]
    mode = int(fields["mode"])
    columns, rows, sections = (int(n) for n in fields["shape"])
    axes = tuple(int(a) for a in fields["axes"])
    if axes == (0, 0, 0):
        axes = (1, 2, 3)
    if sorted(axes) != [1, 2, 3]:
        raise DataError(f"axis order MAPC, MAPR, MAPS = {axes}, expected a permutation of 1, 2, 3", where=path, remedy="repair the header")
    sampling, cell = fields["sampling"], fields["cell"]
    step = [float(cell[i]) / int(sampling[i]) if sampling[i] > 0 and np.isfinite(cell[i]) else 0.0 for i in range(3)]
    unsigned = mode == 0 and int(fields["imod_stamp"]) == _IMOD_STAMP and not int(fields["imod_flags"]) & 1
    return MrcHeader(
        path=path, shape=(sections, rows, columns), mode=mode,
        dtype=np.dtype("u1" if unsigned else order + _TYPES[mode]),
        voxel=(step[axes[0] - 1], step[axes[1] - 1], step[axes[2] - 1]), axes=(axes[0], axes[1], axes[2]),
        start=tuple(int(n) for n in fields["start"]), origin=tuple(float(x) for x in fields["origin"]),  # type: ignore[arg-type]
        space_group=int(fields["space_group"]), offset=HEADER_BYTES + int(fields["extended"]),
        dmin=float(fields["dmin"]), dmax=float(fields["dmax"]), dmean=float(fields["dmean"]), rms=float(fields["rms"]),
    )


def _byte_order(raw: bytes, path: str) -> str:
    """'<' or '>': the machine stamp, if the header makes sense that way, else whichever order makes sense."""
    stamp = {0x44: "<", 0x11: ">"}.get(raw[212], "<")
    for order in (stamp, ">" if stamp == "<" else "<"):
        fields = np.frombuffer(raw, dtype=header_dtype(order))[0]
        if int(fields["mode"]) in _TYPES and fields["shape"].min() > 0 and fields["shape"].max() < 1 << 28 and 0 <= fields["extended"] < 1 << 30:
            return order
    fields = np.frombuffer(raw, dtype=header_dtype(stamp))[0]
    if fields["shape"].min() > 0 and fields["shape"].max() < 1 << 20 and 0 <= fields["mode"] < 1000:
        raise DataError(f"MRC mode {int(fields['mode'])}, expected one of {sorted(_TYPES)}", where=path, remedy="convert it to mode 2 (float32)")
    raise DataError("this is not an MRC file: its header makes no sense in either byte order", where=path, remedy="check that the path is right")


def make_header(shape: tuple[int, int, int], mode: int, pixel_size: float, statistics: tuple[float, float, float, float]) -> np.ndarray:
    """A header for data (sections, rows, columns); statistics = min, max, mean, standard deviation. Stacks: see `as_stack`."""
    header = np.zeros(1, dtype=header_dtype("<"))
    columns_first = shape[::-1]
    header["shape"], header["mode"], header["sampling"] = columns_first, mode, columns_first
    header["cell"] = np.array(columns_first, dtype=np.float64) * pixel_size
    header["angles"], header["axes"] = 90.0, (1, 2, 3)
    header["dmin"], header["dmax"], header["dmean"], header["rms"] = statistics
    header["space_group"], header["version"], header["magic"] = 1, 20140, b"MAP "
    header["machine"], header["labels_used"] = (0x44, 0x44, 0, 0), 1
    header["labels"][0, 0] = b"verglas"
    return header


def as_stack(header: np.ndarray) -> np.ndarray:
    """The header of a stack of images: space group 0, one section per cell."""
    header = header.copy()
    columns, rows, _ = header["sampling"][0]
    pixel_size = header["cell"][0, 0] / columns
    header["space_group"], header["sampling"] = 0, (columns, rows, 1)
    header["cell"][0, 2] = pixel_size
    return header
