"""rank-classes: a score from 0 to 1 for every 2D class average, and the particles of the good ones."""

from pathlib import Path
from typing import TYPE_CHECKING

from verglas.jobs.spec import Context, Job, JobParams, Plan, PlanLine, option

if TYPE_CHECKING:
    import numpy as np

    from verglas.jobs.rank_input import Classes


class RankParams(JobParams):
    """Options of `verglas rank-classes`."""

    model: Path = option(help="Model of a 2D classification (run_itNNN_model.star).", relion="fn_model")
    particles: Path | None = option(
        None, help="Its particles (run_itNNN_data.star); default: the file of that name beside the model, if it is there.", relion="fn_data")
    class_averages: Path | None = option(None, help="Stack of the class averages; default: the one that the model names.")
    mask_diameter: float | None = option(
        None, help="Mask of the classification; default: from run_itNNN_optimiser.star, or seen in the averages.", unit="Å", gt=0)
    min_score: float = option(0.6, help="Select classes with at least this score.", ge=0, le=1, relion="rank_threshold")
    min_particles: int = option(0, help="Take the next best classes until so many particles are selected.", ge=0)


def check(params: RankParams, context: Context) -> Plan:
    from verglas.jobs.rank_input import open_classes, open_particles

    classes = open_classes(params.model, params.class_averages, params.mask_diameter, context.project)
    particles = open_particles(params.model, params.particles, len(classes.images))
    given = (classes.stack,) if particles is None else (classes.stack, *particles.paths)
    return Plan((
        PlanLine("classes", f"{len(classes.images)}, {classes.images.shape[-1]} px"),
        PlanLine("mask", f"radius {classes.radius:.1f} px", classes.told),
        PlanLine("particles", "none given" if particles is None else str(len(particles.table))),
    ), inputs=given)


def run(params: RankParams, context: Context) -> None:
    import numpy as np
    from PIL import Image

    from verglas.io.atomic import atomic_path
    from verglas.io.star import write_star
    from verglas.jobs.rank_input import open_classes, open_particles
    from verglas.jobs.rank_output import rank_table, ranked_model, recommended
    from verglas.jobs.select_tables import write_rows
    from verglas.methods import rank

    classes = open_classes(params.model, params.class_averages, params.mask_diameter, context.project)
    particles = open_particles(params.model, params.particles, len(classes.images))
    values, score = scored(classes)
    number = None if particles is None else particles.source.integers("rlnClassNumber")
    counts = None if number is None else np.bincount(number, minlength=len(score) + 1)[1:]
    chosen = recommended(score, counts, params.min_score, params.min_particles)
    write_star(context.output / "rank.star", {"classes": rank_table(classes, score, chosen, counts, values, rank.FEATURES)})
    write_star(context.output / "ranked_model.star", ranked_model(classes, score))
    order = np.argsort(-score, kind="stable")
    captions = [f"{k + 1}: {score[k]:.2f}" + ("" if counts is None else f"  n {counts[k]}") for k in order]
    with atomic_path(context.output / "gallery.png") as path:
        Image.fromarray(rank.gallery(classes.images[order], captions, chosen[order])).save(path, "PNG")
    filled = int((chosen & (score < params.min_score)).sum())
    more = f", {filled} more for --min-particles" if filled else ""
    context.log(f"{int(chosen.sum()) - filled} of {len(score)} classes have a score >= {params.min_score:g}{more}; best {score.max():.2f}, "
                f"median {np.median(score):.2f}; rank.star, ranked_model.star, gallery.png")
    if not chosen.any():
        context.warn(f"No class reaches a score of {params.min_score:g}; no particles were selected. Look at gallery.png, lower --min-score.")
    kept = 0
    if particles is not None and number is not None and chosen.any():
        rows = np.flatnonzero(chosen[number - 1])
        kept = len(rows)
        if kept:
            write_rows(context.output / "particles.star", particles, rows)
        context.log(f"particles.star: {kept} of {len(number)} particles, {len(number) - kept} removed")
    context.event("rank", scores=score.tolist(), selected=(np.flatnonzero(chosen) + 1).tolist(), kept=kept,
                  total=0 if number is None else len(number))


def scored(classes: "Classes") -> "tuple[np.ndarray, np.ndarray]":
    """(features (K, F), scores (K,)); flat averages, those of empty classes, score 0 and do not count for the others."""
    import numpy as np

    from verglas.methods import rank

    full = np.flatnonzero(classes.images.std((1, 2)) > 0)
    values, score = np.zeros((len(classes.images), len(rank.FEATURES))), np.zeros(len(classes.images))
    values[full] = rank.features(np.array([rank.prepare(classes.images[k], classes.radius) for k in full]))
    score[full] = rank.load_ranker().score(values[full])
    return values, score


JOB = Job("rank-classes", "ClassRanking", "A score from 0 to 1 for 2D class averages, and the particles of the good ones.", RankParams, check,
          run)
