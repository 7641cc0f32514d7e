"""Wizards: beside which parameters of which jobs one can look at the data while choosing."""

from typing import NamedTuple

from verglas.jobs.registry import ENTRIES


class Wizard(NamedTuple):
    """`title` of its dialog; `fields` that it fills in; `inputs`: files that must be given first, any one of those in a pair."""

    title: str
    fields: tuple[str, ...]
    inputs: tuple[str, ...]


_PICKED = ("threshold", "min_distance")
_MASK = Wizard("Mask diameter on the particles", ("mask_diameter",), ("particles",))
WIZARDS: dict[str, dict[str, Wizard]] = {
    "diameter": {
        **dict.fromkeys(("class2d", "class3d", "class3d-fixed", "initialmodel", "refine3d"), _MASK),
        "rank-classes": Wizard("Mask diameter on the class averages", ("mask_diameter",), ("model",)),
        "extract": Wizard("Background circle on the particles", ("background_diameter",), ("micrographs",)),
    },
    "picks": {
        "pick log": Wizard("Size and threshold on a micrograph", ("min_diameter", "max_diameter", *_PICKED), ("micrographs",)),
        "pick template": Wizard("Diameter and threshold on a micrograph", ("diameter", *_PICKED), ("micrographs", "references")),
    },
    "mask": {"mask": Wizard("Mask on slices of the map", ("lowpass", "threshold", "extend", "soft_edge"), ("map",))},
    "ctf": {
        "ctf": Wizard("Search range on a power spectrum", ("min_defocus", "max_defocus", "min_resolution", "max_resolution"), ("micrographs",))
    },
}
"""Wizard -> job -> what it asks there. The one place where they are declared."""
assert all(job in ENTRIES for jobs in WIZARDS.values() for job in jobs)


def wizard_of(job: str) -> tuple[str, Wizard] | None:
    """The wizard of a type of job, None where it has none."""
    return next(((name, jobs[job]) for name, jobs in WIZARDS.items() if job in jobs), None)
