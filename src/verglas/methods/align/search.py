"""The steps that both searches have in common: which resolution, which candidates."""

from torch import Tensor

from verglas.core.rotations import angular_distance
from verglas.methods.align.climb import Pose, Score
from verglas.units import DEGREE

COARSE, FINE = 4.0, 8.0
"""Radius of the particle over the resolution of the global search and of the refinement."""
COARSEST = 12.0
"""Å; the global search needs nothing finer, also for small particles."""
ORDER = 3
"""HEALPix order of the global search, 7.5 degrees: the peak at radius / 4 is twice as wide."""
APART = 12 * DEGREE
"""Frames closer than this are one peak."""


def scored(score: Score, frames: Tensor, shift: Tensor) -> list[Pose]:
    """The best thousand frames of (K, 3, 3), best first."""
    values = score(frames, shift.expand(len(frames), 3))
    return [Pose(frames[i], shift.clone(), float(values[i])) for i in values.argsort(descending=True)[:1000].tolist()]


def distinct(poses: list[Pose], equivalents: Tensor, number: int) -> list[Pose]:
    """The first `number` poses that are not near an earlier one or its equivalents."""
    found: list[Pose] = []
    for pose in poses:
        if all(apart(pose.rotation, one.rotation, equivalents) for one in found):
            found.append(pose)
        if len(found) == number:
            break
    return found


def apart(one: Tensor, other: Tensor, equivalents: Tensor) -> bool:
    """Whether one rotation is not near the other or its equivalents."""
    return float(angular_distance(one[None], other @ equivalents).min()) > APART
