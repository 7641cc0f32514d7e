"""What rank-classes writes."""

import numpy as np

from verglas.io import labels as L
from verglas.io.star import Table
from verglas.jobs.rank_input import REFERENCE, Classes

SCORE, RELION_SCORE = "verglasClassScore", "rlnPredictedClassScore"
KEPT = (REFERENCE, "rlnClassDistribution", "rlnEstimatedResolution")


def recommended(score: np.ndarray, counts: np.ndarray | None, least: float, particles: int) -> np.ndarray:
    """(K,) bool: score >= `least`, and the next best classes until they hold `particles` particles."""
    chosen = score >= least
    for k in np.argsort(-score, kind="stable"):
        if counts is None or counts[chosen].sum() >= particles:
            break
        chosen[k] = True
    return chosen


def rank_table(
    classes: Classes, score: np.ndarray, chosen: np.ndarray, counts: np.ndarray | None, values: np.ndarray, names: tuple[str, ...],
) -> Table:
    """One row for each class, the best first: number, score, whether selected, what the model says, features."""
    model = classes.blocks["model_classes"]
    columns: dict[str, np.ndarray] = {L.CLASS_NUMBER: np.arange(1, len(score) + 1), SCORE: np.round(score, 6)}
    columns["verglasClassSelected"] = chosen.astype(np.int64)
    if counts is not None:
        columns["verglasClassParticles"] = counts.astype(np.int64)
    columns |= {label: model[label] for label in KEPT if label in model}
    columns |= {"verglasFeature" + name.title().replace("_", ""): np.round(column, 6) for name, column in zip(names, values.T)}
    order = np.argsort(-score, kind="stable")
    return Table({label: column[order] for label, column in columns.items()})


def ranked_model(classes: Classes, score: np.ndarray) -> dict[str, Table]:
    """The model with a column of scores under RELION's label, its classes in their order."""
    table = classes.blocks["model_classes"]
    return classes.blocks | {"model_classes": Table(table.columns | {RELION_SCORE: np.round(score, 6)}, table.simple)}
