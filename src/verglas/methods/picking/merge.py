"""Picks of several pickers as one list, without doubles."""

import numpy as np

from verglas.methods.picking.peaks import keep_apart
from verglas.types import Coordinates


def merge_picks(parts: list[Coordinates], distance: float) -> Coordinates:
    """All picks; of those within `distance` px of each other the one of the earlier list stays, within a list that of the better fom.

    Columns that not all lists have are left out.
    """
    order = [np.argsort(-one.fom, kind="stable") for one in parts]
    sorted_parts = [one.take(rows) for one, rows in zip(parts, order)]
    shared = set.intersection(*(set(one.extra) for one in sorted_parts)) if sorted_parts else set()
    joined = Coordinates(
        np.concatenate([one.xy for one in sorted_parts]), np.concatenate([one.fom for one in sorted_parts]),
        np.concatenate([one.class_number for one in sorted_parts]), np.concatenate([one.psi for one in sorted_parts]),
        {label: np.concatenate([one.extra[label] for one in sorted_parts]) for label in sorted(shared)},
    )
    return joined.take(np.flatnonzero(keep_apart(joined.xy, distance)))
