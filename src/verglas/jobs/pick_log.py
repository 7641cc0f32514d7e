"""pick log: particles of a given range of diameters, without templates."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.jobs.each import check_workers, each
from verglas.jobs.pick_params import PickParams, check_maps, check_size, micrograph_lines, open_micrographs
from verglas.jobs.spec import Context, Job, Plan, PlanLine, option

if TYPE_CHECKING:
    import numpy as np

    from verglas.jobs.pick_one import PickOne
    from verglas.methods.picking.blobs import BlobOptions
    from verglas.methods.picking.scores import ScoreMaps
    from verglas.types import Micrographs


class PickLogParams(PickParams):
    """Options of `verglas pick log`."""

    min_diameter: float = option(help="Shortest diameter of the particle.", unit="Å", gt=0, le=10000, relion="log_diam_min")
    max_diameter: float = option(help="Longest diameter of the particle.", unit="Å", gt=0, le=10000, relion="log_diam_max")


@dataclass(frozen=True)
class Blobs:
    """The picker: discs of the range first, then the profile of what they find."""

    params: PickLogParams

    def __call__(self, image: "np.ndarray", row: "Micrographs") -> "ScoreMaps":
        from verglas.methods.picking.blobs import blob_scores

        return blob_scores(image, row.optics[row.optics_index[0]].pixel_size, blob_options(self.params))


def blob_options(p: PickLogParams) -> "BlobOptions":
    """What the picker needs to know of the particles."""
    from verglas.methods.picking.blobs import BlobOptions

    return BlobOptions(p.min_diameter, p.max_diameter, p.lowpass, p.white, p.min_distance or 0.0)


def check(params: PickLogParams, context: Context) -> Plan:
    check_workers(params.workers)
    check_size(params.min_diameter, params.max_diameter, params.lowpass, ("--min-diameter", "--max-diameter"))
    check_maps(params)
    table = open_micrographs(params.micrographs, context.project)
    return Plan((*micrograph_lines(table, params), PlanLine("distance", f"{blob_options(params).apart:.0f} Å", "between picks")))


def work_of(params: PickLogParams, project: Path, output: Path) -> "PickOne":
    """What is done to each micrograph."""
    from verglas.jobs.pick_one import PickOne

    return PickOne(project, output, params, Blobs(params), blob_options(params).apart)


def run(params: PickLogParams, context: Context) -> None:
    from verglas.jobs.pick_one import finish, table_of

    work = work_of(params, context.project, context.output)
    finish(each(context, table_of(params.micrographs).name.tolist(), work, params.workers), context)


JOB = Job("pick log", "AutoPick", "Find particles by their size.", PickLogParams, check, run, "relion.autopick.log", can_continue=True)
