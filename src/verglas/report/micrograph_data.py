"""What the page of a job on movies or micrographs shows, as frozen data read from its folder."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Kind = Literal["motion", "ctf", "picks", "particles", "import", "live"]


@dataclass(frozen=True)
class Quantity:
    """A number of every micrograph. `worst`: which end deserves a look; `good`: in one line, what good looks like; `column`: a short title."""

    name: str
    title: str
    unit: str
    good: str
    digits: int = 1
    worst: Literal["high", "low", ""] = ""
    column: str = ""

    @property
    def label(self) -> str:
        """Of an axis."""
        return f"{self.title[:1].lower()}{self.title[1:]}" + (f" ({self.unit})" if self.unit else "")

    def number(self, value: float) -> str:
        """To `digits` decimals, fewer where there are four digits before the point or more; '' for NaN."""
        if not np.isfinite(value):
            return ""
        digits = max(0, min(self.digits, 4 - len(f"{abs(value):.0f}")))
        return f"{round(value, digits) + 0.0:.{digits}f}"

    def text(self, value: float) -> str:
        """With its unit; 'not known' for NaN."""
        whole, point, rest = self.number(value).partition(".")
        grouped = whole if len(whole) < 5 else f"{int(whole):,}"
        return f"{grouped}{point}{rest} {self.unit}".strip() if whole else "not known"


@dataclass(frozen=True)
class Column:
    """values (N,), NaN where unknown."""

    quantity: Quantity
    values: np.ndarray

    @property
    def median(self) -> float:
        """Of the finite values, NaN when there are none."""
        seen = self.values[np.isfinite(self.values)]
        return float(np.median(seen)) if seen.size else float("nan")


@dataclass(frozen=True)
class Remark:
    """What was said of one micrograph: the reason of its failure, or a doubt."""

    name: str
    text: str

    @property
    def plain(self) -> str:
        """The text without the name of its own file in front of it, so that equal reasons count together."""
        return self.text.replace(self.name, "…").replace(self.name.rpartition("/")[2], "…").removeprefix("…").lstrip(": ")


@dataclass(frozen=True)
class Thumbnail:
    """pixels (h, w) uint8, first row of the array on top, of an image of `shape` (ny, nx) px of pixel_size Å (0: unknown)."""

    pixels: np.ndarray
    shape: tuple[int, int]
    pixel_size: float


@dataclass(frozen=True)
class Patch:
    """Motion of a part of the field beyond that of the whole, in px of the movie, (x, y): centre (2,), path (F, 2) as measured there, and
    fit (F, 2) as the micrograph was corrected for it (the measured one where there is no model)."""

    centre: np.ndarray
    path: np.ndarray
    fit: np.ndarray


@dataclass(frozen=True)
class MotionShown:
    """Micrograph `row`; track (F, 2) Å: where the specimen was, from the first frame on; field (nx, ny) px of the movie."""

    row: int
    thumbnail: Thumbnail | None
    track: np.ndarray
    patches: tuple[Patch, ...]
    field: tuple[int, int]


@dataclass(frozen=True)
class CtfShown:
    """picture: spectrum and fit, half each, out to `edge` 1/Å; k (R,) 1/Å with average, fit, agreement (R,), empty when there are no curves."""

    row: int
    picture: Thumbnail | None
    edge: float
    resolution: float
    curves: np.ndarray


@dataclass(frozen=True)
class PicksShown:
    """xy (M, 2) px of the micrograph, fom (M,), diameter px of the circles."""

    row: int
    thumbnail: Thumbnail | None
    xy: np.ndarray
    fom: np.ndarray
    diameter: float


@dataclass(frozen=True)
class PlainShown:
    """A picture and nothing on it."""

    row: int
    thumbnail: Thumbnail


Shown = MotionShown | CtfShown | PicksShown | PlainShown


@dataclass(frozen=True)
class Sheet:
    """images (M, b, b) float32 of particles, evenly spread over the `total` of the set; pixel_size Å of what is shown (0: unknown)."""

    images: np.ndarray
    total: int
    pixel_size: float


@dataclass(frozen=True)
class Round:
    """One round of live processing, `time` s after the start: new movies, (stage, rows of its table), (stage, s)."""

    time: float
    movies: int
    rows: tuple[tuple[str, int], ...]
    seconds: tuple[tuple[str, float], ...]


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True)
class Processed:
    """N micrographs that are done, those that failed, and pictures of some of the N.

    total: how many there are to do, 0 when unknown; steps (N, F) Å moved between frames (motion); foms, threshold: of picks; optics: in words;
    links: (stage, address of its report). `remarks`: doubts that the job had about micrographs that it did.
    """

    kind: Kind
    noun: str
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    failures: tuple[Remark, ...] = ()
    remarks: tuple[Remark, ...] = ()
    total: int = 0
    shown: tuple[Shown, ...] = ()
    steps: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    sheet: Sheet | None = None
    foms: np.ndarray = field(default_factory=_none)
    threshold: float = float("nan")
    rounds: tuple[Round, ...] = ()
    optics: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()

    def counted(self, count: int) -> str:
        """'1 movie', '1,200 movies'."""
        return f"{count:,} {self.noun if count != 1 else self.noun.removesuffix('s')}"

    def column(self, name: str) -> Column | None:
        """The column of a quantity, if there is one."""
        return next((one for one in self.columns if one.quantity.name == name), None)

    def values(self, name: str) -> np.ndarray:
        """The finite values of a quantity, empty when unknown."""
        found = self.column(name)
        return found.values[np.isfinite(found.values)] if found is not None else np.zeros(0)
