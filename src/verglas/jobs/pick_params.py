"""Options that all automatic pickers share, and the door of their micrographs."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from verglas.errors import InputError
from verglas.jobs.each import workers_option
from verglas.jobs.spec import JobParams, PlanLine, option

if TYPE_CHECKING:
    from verglas.types import Micrographs


class PickParams(JobParams):
    """Where to pick, and what counts as a particle."""

    micrographs: Path = option(help="STAR file of micrographs (micrographs_ctf.star).", relion="fn_input_autopick")
    threshold: float | Literal["auto"] = option(
        "auto", help="Least figure of merit (1: as a typical particle of the micrograph); auto: as low as --false-rate allows.", ge=0)
    threshold_sd: float = option(0.0, help="Least answer in standard deviations of the micrograph.", unit="sigma", ge=0)
    max_sd: float | None = option(None, help="No picks that answer more than this (gold, ice).", unit="sigma", gt=0)
    false_rate: float = option(0.05, help="Share of false picks that the automatic threshold allows, judged by answers of the wrong sign.",
                               gt=0, lt=1)
    min_distance: float | None = option(
        None, help="Between picks; default 60 % of the (mean) diameter, so that neighbours that touch are all found.", unit="Å", gt=0,
        relion="mindist_autopick")
    border: float = option(0.0, help="Keep free from the edge; a pick's centre is always inside.", unit="Å", ge=0)
    lowpass: float = option(20.0, help="Finer details are not looked at.", unit="Å", gt=0, le=200, relion="lowpass")
    white: bool = option(False, help="Particles are bright in the micrographs.", relion="log_invert")
    keep_maps: bool = option(False, help="Keep the maps of answers, to try other thresholds with --maps.", relion="do_write_fom_maps")
    maps: Path | None = option(None, help="Folder of an earlier job with --keep-maps: only thresholds and distances are applied, to its maps.")
    workers: str = workers_option()


def open_micrographs(path: Path, project: Path) -> "Micrographs":
    """A table of micrographs that exist."""
    from verglas.jobs.micrograph_door import absent, open_table

    table = open_table(path)
    missing = absent(table, path, project)
    if missing:
        raise InputError(f"{len(missing)} of {len(table)} micrographs are not there, the first is {missing[0]}", where=str(path),
                         remedy="put them back, or take their rows out")
    return table


def check_size(smallest: float, largest: float, lowpass: float, names: tuple[str, str]) -> None:
    """Diameters in order, and wide enough to be seen at this resolution."""
    if smallest > largest:
        raise InputError(f"{names[0]} {smallest:g} is larger than {names[1]} {largest:g}", remedy="exchange them")
    if smallest < 2.5 * lowpass:
        raise InputError(f"{names[0]} {smallest:g} Å cannot be seen at --lowpass {lowpass:g} Å",
                         remedy=f"give --lowpass {smallest / 4:.3g}, a quarter of the diameter")


def check_maps(params: PickParams) -> None:
    """The folder of --maps has rows."""
    from verglas.jobs.each import ROWS

    if params.maps is not None and not (params.maps / ROWS).is_file():
        raise InputError("holds no picking job (no rows.jsonl)", where=str(params.maps), remedy="give the folder of a job with --keep-maps")


def micrograph_lines(table: "Micrographs", params: PickParams) -> tuple[PlanLine, ...]:
    """How many, at which pixel size."""
    pixels = sorted({table.optics[g].pixel_size for g in set(table.optics_index.tolist())})
    return (
        PlanLine("micrographs", str(len(table)), " and ".join(f"{one:.4f} Å/px" for one in pixels)),
        PlanLine("threshold", str(params.threshold), f"false rate {params.false_rate:g}" if params.threshold == "auto" else "figure of merit"),
    )
