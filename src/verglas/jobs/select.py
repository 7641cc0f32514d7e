"""select: some of the particles (or micrographs) of one or several STAR files, with all their columns."""

from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError
from verglas.jobs.spec import Context, Job, JobParams, Plan, PlanLine, option

if TYPE_CHECKING:
    from verglas.jobs.select_rules import Selection


class SelectParams(JobParams):
    """Options of `verglas select`. What is asked for is applied in the order of the options; all conditions must hold."""

    particles: str | None = option(
        None, help="Particle STAR files, with commas between them; several are joined.", relion="fn_data")
    micrographs: str | None = option(
        None, help="Micrograph STAR files, with commas between them, instead of particles.", relion="fn_mic")
    classes: str | None = option(None, help="Classes to keep by number, for example 1,3,7-9.")
    model: Path | None = option(
        None, help="Table of the classes: run_itNNN_model.star, or rank.star of rank-classes; those kept are listed in class_averages.star.",
        relion="fn_model")
    min_class_fraction: float | None = option(
        None, help="Keep classes with at least this share of the particles (rlnClassDistribution).", ge=0, le=1)
    max_class_resolution: float | None = option(
        None, help="Keep classes at least this well resolved (rlnEstimatedResolution).", unit="Å", gt=0)
    min_rank: float | None = option(
        None, help="Keep classes with at least this score (of rank-classes or RELION).", ge=0, le=1, relion="rank_threshold")
    rows: Path | None = option(
        None, help="STAR file with a column rlnImageName (for micrographs rlnMicrographName): keep the rows of these names.")
    half: int | None = option(None, help="Keep one of the two half sets (rlnRandomSubset).", choices=(1, 2))
    column: str | None = option(None, help="Keep rows by the value of this column, for example rlnDefocusU.", relion="select_label")
    minimum: float | None = option(None, help="Least value of --column that is kept.", relion="select_minval")
    maximum: float | None = option(None, help="Largest value of --column that is kept.", relion="select_maxval")
    remove_duplicates: float | None = option(
        None, help="Of particles of one micrograph within this distance keep the best (rlnMaxValueProbDistribution), else the first.",
        unit="Å", gt=0, relion="duplicate_threshold")
    micrograph_pixel_size: float | None = option(
        None, help="Pixel that rlnCoordinateX and Y count in; default from the optics table.", unit="Å", gt=0, relion="image_angpix")
    split: int | None = option(None, help="Also write this many parts of equal size.", ge=2, le=10000, relion="nr_split")
    split_size: int | None = option(None, help="Also write parts of this many rows, and the rest.", ge=1, relion="split_size")
    in_order: bool = option(False, help="Parts follow the order of the file; otherwise they are drawn at random.")


def check(params: SelectParams, context: Context) -> Plan:
    _check_options(params)
    found = _selection(params)
    kept = len(found.rows)
    lines = [PlanLine(found.source.noun, f"{kept} of {len(found.source.table)}", ", ".join(step.told for step in found.steps))]
    if params.split or params.split_size:
        number = params.split or -(-kept // (params.split_size or 1))
        if number > kept:
            raise InputError(f"--split {number}: only {kept} {found.source.noun} are left", remedy="ask for fewer parts")
        lines.append(PlanLine("parts", f"{number}", "in order" if params.in_order else f"at random, seed {context.resources.seed}"))
    return Plan(tuple(lines), found.source.remarks, found.source.paths)


def run(params: SelectParams, context: Context) -> None:
    import numpy as np

    from verglas.io import labels as L
    from verglas.jobs.select_classes import AVERAGES, write_averages
    from verglas.jobs.select_tables import write_rows
    from verglas.methods.select import parts

    found = _selection(params)
    source, total = found.source, len(found.source.table)
    for step in found.steps:
        context.log(f"{step.told}: kept {step.after} of {step.before} {source.noun}, removed {step.before - step.after}")
        context.event("step", rule=step.told, before=step.before, after=step.after)
    write_rows(context.output / f"{source.noun}.star", source, found.rows)
    context.log(f"{source.noun}.star: {len(found.rows)} of {total} {source.noun}, {total - len(found.rows)} removed")
    if params.model is not None:
        names = write_averages(context.output / AVERAGES, params.model, source.source.integers(L.CLASS_NUMBER)[found.rows])
        context.log(f"{AVERAGES}: {names} classes")
    sizes: list[int] = []
    if params.split or params.split_size:
        rng = None if params.in_order else np.random.default_rng(context.resources.seed)
        for number, rows in enumerate(parts(len(found.rows), params.split or 1, params.split_size, rng), start=1):
            write_rows(context.output / f"{source.noun}_split{number}.star", source, found.rows[rows])
            sizes.append(len(rows))
        context.log(f"{source.noun}_split1.star to {source.noun}_split{len(sizes)}.star: {min(sizes)} to {max(sizes)} {source.noun} each")
    context.event("select", total=total, kept=len(found.rows), removed=total - len(found.rows), parts=sizes)


def _check_options(params: SelectParams) -> None:
    """Options that need or exclude each other."""
    if (params.particles is None) == (params.micrographs is None):
        raise InputError("expected one of --particles and --micrographs", remedy="give --particles particles.star")
    limits = params.minimum is not None or params.maximum is not None
    if (params.column is not None) != limits:
        raise InputError("--column and --minimum or --maximum belong together", remedy="give the column and at least one limit")
    if params.minimum is not None and params.maximum is not None and params.minimum > params.maximum:
        raise InputError(f"--minimum {params.minimum:g} is above --maximum {params.maximum:g}", remedy="exchange them")
    of_class = {"--min-class-fraction": params.min_class_fraction, "--max-class-resolution": params.max_class_resolution,
                "--min-rank": params.min_rank}
    asked = [flag for flag, value in of_class.items() if value is not None]
    if asked and params.model is None:
        raise InputError(f"{asked[0]} needs the table of the classes", remedy="give --model run_itNNN_model.star or rank.star")
    if params.model is not None and not asked and params.classes is None:
        raise InputError("--model without a condition",
                         remedy="give --classes, --min-rank, --min-class-fraction or --max-class-resolution")
    if params.split and params.split_size:
        raise InputError("--split and --split-size exclude each other", remedy="give one of them")
    named = params.particles or params.micrographs or ""
    rules = (params.classes, params.model, params.rows, params.half, params.column, params.remove_duplicates, params.split, params.split_size)
    if "," not in named and all(rule is None for rule in rules):
        raise InputError("nothing to select by", remedy="give --classes, --rows, --column, --remove-duplicates, --split or several files to join")


def _selection(params: SelectParams) -> "Selection":
    from verglas.jobs.select_rules import select

    return select(params)


JOB = Job("select", "Select", "Particles by class, score, column or half; joined, split, without duplicates.", SelectParams, check, run,
          "relion.select", light=True)
