"""corrected_micrographs.star and what motioncorr says at its end."""

from dataclasses import replace
from typing import Any

import numpy as np

from verglas.io.micrographs_star import write_micrographs
from verglas.jobs.each import Outcome
from verglas.jobs.motioncorr import MotionParams
from verglas.jobs.spec import Context
from verglas.types import Micrographs

NAME = "rlnMicrographName"
SHOWN = 5


def write_joint_star(context: Context, params: MotionParams, movies: Micrographs, outcomes: list[Outcome]) -> None:
    """The movies that have a row, in the order of the input; columns of the input are kept."""
    done = np.array([one.row is not None for one in outcomes])
    rows: list[Any] = [one.row["star"] for one in outcomes if one.row is not None]
    columns = {label: np.array([row[label] for row in rows], dtype=object if isinstance(rows[0][label], str) else np.float64) for label in rows[0]}
    names = columns.pop(NAME)
    kept = movies.take(done)
    optics = tuple(replace(group, pixel_size=group.original_pixel_size * params.binning) for group in movies.optics)
    extra = {label: column for label, column in kept.extra.items() if label not in columns}
    write_micrographs(context.output / "corrected_micrographs.star", replace(kept, optics=optics, name=names, extra=extra | columns, movies=False))


def tell(context: Context, outcomes: list[Outcome]) -> None:
    """Numbers of all movies in a line, each movie as an event, doubtful ones as warnings."""
    total, local, doubtful = [], [], []
    for one in outcomes:
        if one.row is None:
            context.event("movie", movie=one.key, failed=one.reason)
            continue
        star: Any = one.row["star"]
        report: Any = one.row["report"]
        total.append(star["rlnAccumMotionTotal"])
        local.append(report["local_rms"])
        doubtful += [f"{one.key}: {text}" for text in report["warnings"]]
        context.event("movie", movie=one.key, total=star["rlnAccumMotionTotal"], early=star["rlnAccumMotionEarly"],
                      late=star["rlnAccumMotionLate"], **report)
    for text in doubtful[:SHOWN]:
        context.warn(text)
    if len(doubtful) > SHOWN:
        context.warn(f"{len(doubtful) - SHOWN} more movies with warnings: see events.jsonl")
    context.log(f"{len(total)} of {len(outcomes)} movies: motion {np.median(total):.1f} Å (median; {min(total):.1f} to {max(total):.1f}), "
                f"local motion {np.median(local):.2f} Å rms; corrected_micrographs.star")
