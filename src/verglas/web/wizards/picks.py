"""The real picker on one micrograph; its maps of answers are kept, so that a threshold is applied again at once."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.api.project import Project
from verglas.errors import InputError
from verglas.io.star import read_star
from verglas.jobs.pick_references import NAMES
from verglas.web.data.answers import known, stamp
from verglas.web.places import file_in
from verglas.web.wizards.asked import Asked, params_of
from verglas.web.wizards.recent import Recent

if TYPE_CHECKING:
    from verglas.jobs.pick_one import PickOne
    from verglas.methods.picking.scores import ScoreMaps
    from verglas.types import Micrographs

APPLIED = {"threshold": 0.0, "threshold_sd": 0.0, "max_sd": None, "false_rate": 0.05, "border": 0.0}
"""Parameters that only choose from the maps, and the value under which maps are kept."""
START = {"min_diameter": 120.0, "max_diameter": 180.0}
_maps: "Recent[ScoreMaps]" = Recent(4)


def look(project: Project, asked: Asked) -> dict[str, Any]:
    """The micrograph; with `fit` all picks with a figure of merit, of which a threshold keeps those above it, and the automatic threshold."""
    from verglas.jobs.pick_one import table_of
    from verglas.jobs.pick_params import check_size
    from verglas.jobs.pick_template import Templates

    params = params_of(asked, START if asked.job == "pick log" else None)
    micrographs = table_of(params.micrographs)
    if not 0 <= asked.row < len(micrographs):
        raise InputError(f"micrograph {asked.row + 1} of {len(micrographs)}", where=str(params.micrographs))
    work = _work(project, params)
    if isinstance(work.scores, Templates):
        sizes, names = (work.scores.diameter,) * 2, ("--diameter", "--diameter")
    else:
        sizes, names = (params.min_diameter, params.max_diameter), ("--min-diameter", "--max-diameter")
    check_size(*sizes, params.lowpass, names)
    row = micrographs.take(np.array([asked.row]))
    path = file_in(project, str(row.name[0]))
    found = _found(work, row, _references(project, params), stamp(path)) if asked.fit else {"xy": [], "fom": [], "auto": None}
    return found | {
        "micrographs": len(micrographs), "row": asked.row, "file": str(row.name[0]), "pixel": row.optics[row.optics_index[0]].pixel_size,
        "smallest": sizes[0], "largest": sizes[1], "apart": work.distance, "lowpass": params.lowpass,
    }


def _references(project: Project, params: Any) -> tuple[Any, ...]:
    """The state of the templates; stacks that a STAR file names must be of the project too."""
    path = getattr(params, "references", None)
    if path is None:
        return ()
    for table in read_star(path).values() if path.suffix == ".star" else ():
        for label in NAMES:
            for name in {str(one).rpartition("@")[2] for one in table[label].tolist()} if label in table else ():
                file_in(project, name if (project.root / name).is_file() else str(Path(path).parent / Path(name).name))
    return stamp(path)


def _work(project: Project, params: Any) -> "PickOne":
    """What the job does to each micrograph."""
    from verglas.jobs import pick_log, pick_template

    make = pick_log.work_of if isinstance(params, pick_log.PickLogParams) else pick_template.work_of
    return make(params, project.root, project.root)


def _found(work: "PickOne", row: "Micrographs", references: tuple[Any, ...], micrograph: tuple[Any, ...]) -> dict[str, Any]:
    from verglas.methods.picking.choose import choose_picks

    same = work.params.model_copy(update=APPLIED).model_dump_json()
    maps = _maps.get((type(work.params), same, micrograph, references), lambda: work.answers(row))
    every = choose_picks(maps, replace(work.limits, threshold=0.0))
    auto = choose_picks(maps, replace(work.limits, threshold="auto"))
    return {"xy": np.round(every.picks.xy, 1).tolist(), "fom": every.picks.fom.astype(float).tolist(), "auto": known(auto.threshold)}
