"""What is doubtful about a refinement, in plain words: before it starts and when it has ended."""

from typing import TYPE_CHECKING

import numpy as np

from verglas.types import Particles
from verglas.units import DEGREE

if TYPE_CHECKING:
    from verglas.methods.refine.state import State

SMALL_GROUP = 10
"""Particles from which the intensity scale of a group is poorly known."""
POOR_ACCURACY = 10.0
"""Degrees."""
RISE = 0.2
"""An FSC that has fallen below 0.143 and comes back by this much is not that of independent halves."""


def group_remarks(particles: Particles) -> tuple[str, ...]:
    """Scale groups with few particles."""
    members = np.bincount(particles.group, minlength=len(particles.group_names))
    few = int(((members > 0) & (members < SMALL_GROUP)).sum())
    if not few or np.count_nonzero(members) < 2:
        return ()
    return (f"{few} of {np.count_nonzero(members)} scale groups have fewer than {SMALL_GROUP} particles, so their intensity scales are uncertain: "
            "group micrographs (_rlnGroupName) or use --no-scale-correction",)


def device_remarks(device: str, job: str) -> tuple[str, ...]:
    """A GPU that is not used is said, not passed over."""
    return () if device == "cpu" else (f"{job} of this version computes on the CPU, not on {device}",)


def gpu_remarks(device: str) -> tuple[str, ...]:
    """What computes where, and how far that has been tried."""
    if device == "cpu":
        return ()
    return (f"the search runs on {device}; this version's GPU code was tested through an interpreter only, not yet on a GPU: "
            "compare with --device cpu when in doubt",)


def duplicate_remarks(particles: Particles) -> tuple[str, ...]:
    """The same image twice: in both halves it makes them correlate."""
    images = particles.images
    keys = images.stack * (int(images.index.max(initial=0)) + 1) + images.index
    count = len(keys) - len(np.unique(keys))
    return (f"{count} images are listed more than once; copies in both halves make the FSC too good: remove duplicates",) if count else ()


def fsc_remarks(fsc: np.ndarray, pixel: float) -> tuple[str, ...]:
    """A curve that never falls, or that comes back."""
    below = np.flatnonzero(fsc[1:] < 0.143) + 1
    if not len(below):
        return (f"the FSC does not fall below 0.143: the resolution is limited by the pixel size (Nyquist {2 * pixel:.2f} Å); particles with a "
                "smaller pixel may show more",)
    again = fsc[below[0]:]
    if again.max() > 0.143 + RISE:
        return (f"the FSC comes back to {again.max():.2f} after falling below 0.143 (shell {below[0]}): the halves are not independent there "
                "(duplicates, a sharp mask, or interpolation near Nyquist)",)
    return ()


def accuracy_remarks(state: "State") -> tuple[str, ...]:
    """Orientations that the images do not determine."""
    from verglas.methods.refine.state import NEVER

    angle = state.schedule.accuracy_angle / DEGREE
    if state.schedule.accuracy_angle >= NEVER or angle <= POOR_ACCURACY:
        return ()
    return (f"the estimated accuracy of the orientations is {angle:.1f} degrees: the particles show little, or the reference is wrong; look at the "
            "map before believing its resolution",)


def offset_remarks(state: "State") -> tuple[str, ...]:
    """Particles far from the middle of their images."""
    away = np.hypot(*state.alignment.origin.T)
    far = float(np.mean(away > 0.2 * state.box * state.pixel_size))
    if far < 0.05:
        return ()
    return (f"{100 * far:.0f} % of the particles lie more than a fifth of the box from its centre: extract them again, centred",)


def limit_remarks(state: "State", stopped_at: int) -> tuple[str, ...]:
    """Ended by the user's limit."""
    if not stopped_at or state.iteration < stopped_at or state.schedule.fine_enough:
        return ()
    return (f"ended at --max-iterations {stopped_at} before it had converged; to go on: --continue with a larger number",)
