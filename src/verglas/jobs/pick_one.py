"""One micrograph of the automatic pickers: its maps of answers, its picks, its row."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io.kept import kept
from verglas.jobs.each import ROWS, Outcome, read_rows
from verglas.jobs.folder import named_in
from verglas.jobs.pick_params import PickParams
from verglas.jobs.spec import Context

if TYPE_CHECKING:
    from verglas.methods.picking.choose import Limits
    from verglas.methods.picking.scores import ScoreMaps
    from verglas.types import Micrographs

Scores = Callable[[np.ndarray, "Micrographs"], "ScoreMaps"]
GRID = ("pixel", "scale", "offset", "reach")


@dataclass(frozen=True)
class PickOne:
    """Work of `each`. `scores`: a picker, picklable: pixels (ny, nx) and the one row of the micrograph -> maps; distance Å between picks."""

    project: Path
    output: Path
    params: PickParams
    scores: Scores
    distance: float
    relative: bool = True

    def __call__(self, index: int) -> dict[str, object]:
        from verglas.io.coordinates import write_coordinates
        from verglas.methods.picking.choose import choose_picks

        table = table_of(self.params.micrographs).take(np.array([index]))
        name = str(table.name[0])
        target = self.output / coordinates_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        maps = self.answers(table) if self.params.maps is None else load_maps(self.params.maps, name)
        chosen = choose_picks(maps, self.limits)
        write_coordinates(target, chosen.picks)
        if self.params.keep_maps:
            save_maps(maps_path(self.output, name), maps)
        grid = {key: getattr(maps, key) for key in GRID}
        numbers = {"typical_sd": chosen.typical, "threshold": chosen.threshold, "false": chosen.false}
        finite: dict[str, object] = {key: value if np.isfinite(value) else None for key, value in numbers.items()}
        return {"coordinates": str(target.relative_to(self.output)), "picks": len(chosen.picks)} | finite | grid

    def answers(self, row: "Micrographs") -> "ScoreMaps":
        """The maps of the one micrograph of `row`."""
        return self.scores(read_micrograph(self.project / str(row.name[0])), row)

    @property
    def limits(self) -> "Limits":
        from verglas.methods.picking.choose import Limits

        p = self.params
        return Limits(self.distance, p.threshold, p.threshold_sd, np.inf if p.max_sd is None else p.max_sd, p.false_rate, p.border, self.relative)


@kept
def table_of(path: Path) -> "Micrographs":
    """The table, read once by each worker."""
    from verglas.io.micrographs_star import read_micrographs

    return read_micrographs(path)


def read_micrograph(path: Path) -> np.ndarray:
    """(ny, nx) float32; pixels that are no numbers become the median of the others."""
    from verglas.io.mrc import read_volume

    data, _ = read_volume(path)
    if len(data) != 1:
        raise InputError(f"{len(data)} images, expected one micrograph", where=str(path), remedy="a stack of frames needs motion correction first")
    finite = np.isfinite(data[0])
    image = data[0] if finite.all() else np.where(finite, data[0], np.median(data[0][finite]) if finite.any() else 0.0).astype(np.float32)
    if float(image.min()) == float(image.max()):
        raise DataError(f"every pixel is {image.flat[0]:g}", where=str(path), remedy="make the micrograph again")
    return image


def coordinates_name(name: str) -> Path:
    """MotionCorr/job002/Movies/a.mrc -> Movies/a_autopick.star, in the job folder."""
    parts = [part for part in Path(name).parts if part not in ("..", ".", Path(name).anchor)]
    parts = parts[2:] if len(parts) > 2 and parts[1].startswith("job") else parts
    return Path(*parts[:-1], f"{Path(name).stem}_autopick.star")


def maps_path(folder: Path, name: str) -> Path:
    """The stack of maps of a micrograph: answers, decoys, template, psi (rad), centres."""
    return (folder / coordinates_name(name)).with_name(f"{Path(name).stem}_answers.mrcs")


def save_maps(path: Path, maps: "ScoreMaps") -> None:
    """Five images; centres are 0 where there are none."""
    from verglas.io.mrc import StackWriter

    centre = np.zeros_like(maps.best) if maps.centre is None else maps.centre
    with StackWriter(path, maps.pixel) as stack:
        stack.append(np.stack([maps.best, maps.decoy, maps.template, maps.psi, centre]).astype(np.float32))


def load_maps(folder: Path, name: str) -> "ScoreMaps":
    """The maps that an earlier job kept of this micrograph."""
    from verglas.io.mrc import read_volume
    from verglas.methods.picking.scores import ScoreMaps

    path, rows = maps_path(folder, name), rows_of(folder / ROWS)
    if not path.is_file() or rows.get(name) is None or rows[name].row is None:
        raise InputError("no maps of this micrograph", where=str(path), remedy="pick with --keep-maps first")
    data, _ = read_volume(path)
    grid = {key: float(str((rows[name].row or {})[key])) for key in GRID}
    centre = data[4] if data[4].any() else None
    return ScoreMaps(data[0], data[1], np.rint(data[2]).astype(int), data[3], grid["pixel"], grid["scale"], grid["offset"], centre, grid["reach"])


@kept
def rows_of(path: Path) -> dict[str, Outcome]:
    """The rows of an earlier job, from their file."""
    return read_rows(path)


def finish(outcomes: list[Outcome], context: Context) -> None:
    """autopick.star, and what was found in words and as an event."""
    from verglas.io.coordinates import write_coordinate_files

    done = [(one.key, one.row) for one in outcomes if one.row is not None]
    folder = Path(named_in(context.project, context.output))
    write_coordinate_files(context.output / "autopick.star", [key for key, _ in done], [str(folder / str(row["coordinates"])) for _, row in done])
    counts = np.array([int(str(row["picks"])) for _, row in done])
    context.log(f"{counts.sum()} particles in {len(counts)} micrographs: from {counts.min()} to {counts.max()}, median {np.median(counts):.0f}; "
                "autopick.star")
    empty = [key for key, row in done if row["picks"] == 0]
    if empty:
        context.warn(f"Nothing was found in {len(empty)} micrographs, the first {empty[0]}. Look at it; --threshold lowers what is asked for.")
    context.event("picks", particles=int(counts.sum()), micrographs=len(counts), failed=len(outcomes) - len(done))
