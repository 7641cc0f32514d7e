"""One map brought onto another: every orientation, then every position nearby.

The score of V'(x) = V(R x + t) against a fixed map U is their correlation over Fourier space on a few planes,

    c = Re sum_p w F'(p) G*(p) / sqrt(sum_p w |F'|^2 sum_p w |G|^2),   w = |p| / (power of F power of G)^(1/4)

with the weights of `axes`, for both maps.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.core.sampling import orientation_grid, rotations
from verglas.core.symmetry import operators
from verglas.methods.align.climb import Pose, Score, Steps, climb
from verglas.methods.align.move import rotate_map
from verglas.methods.align.place import find_particle
from verglas.methods.align.search import COARSE, COARSEST, FINE, ORDER, distinct, scored
from verglas.methods.align.views import BLOCK, Views, Window, make_views, slices
from verglas.methods.mapops import crop, flip_hand, resize
from verglas.types import Map
from verglas.units import DEGREE

PLANES, FINE_PLANES = 3, 12
"""The global search needs few; against noise more of Fourier space is worth its time."""
CANDIDATES, FINALISTS = 24, 3


@dataclass(frozen=True, eq=False)
class Alignment:
    """V'(x) = V(R x + t) lies on the fixed map, V being the moving map, or its mirror image (z to -z) where `mirrored`.

    rotation R (3, 3) float64; shift t (3,) Å x y z. correlation: of the two maps filtered to `resolution` (Å), in the sphere of
    the particle; other_hand: the best that the other hand gives, None when it was not tried.
    """

    rotation: np.ndarray
    shift: np.ndarray
    mirrored: bool
    correlation: float
    resolution: float
    other_hand: float | None = None


def align_maps(
    moving: Map, fixed: Map, *, symmetry: str = "C1", hand: bool = False, resolution: float | None = None,
    radius: float | None = None,
) -> Alignment:
    """The rigid motion that lays `moving` on `fixed`; boxes and pixel sizes may differ.

    symmetry: point group of the fixed map, in its standard frame (saves time). hand: also try the mirror image and take the
    better. resolution (Å): the finest that is used, default radius / 8; radius (Å) of the particle, default from the densities.
    """
    places = find_particle(fixed), find_particle(moving)
    radius = radius or max(place.radius for place in places)
    pixel = max(fixed.pixel_size, moving.pixel_size)
    finest = max(radius / FINE, 2.5 * pixel) if resolution is None else max(resolution, 2.5 * pixel)
    window = Window(places[0].centre, radius, max(radius / COARSE, COARSEST, finest))
    found = _best_of(moving, places[1].centre, fixed, window, symmetry, finest)
    if not hand:
        return found
    flipped = _best_of(flip_hand(moving), places[1].centre * (1, 1, -1), fixed, window, symmetry, finest)
    if flipped.correlation > found.correlation:
        return replace(flipped, mirrored=True, other_hand=found.correlation)
    return replace(found, other_hand=flipped.correlation)


def apply_alignment(moving: Map, alignment: Alignment, fixed: Map) -> Map:
    """The moving map on the grid of the fixed one, mirrored, turned and moved onto it."""
    source = flip_hand(moving) if alignment.mirrored else moving
    turned = rotate_map(source, alignment.rotation, alignment.shift)
    same = abs(turned.pixel_size / fixed.pixel_size - 1) < 1e-4
    on_grid = crop(turned, fixed.box) if same else resize(turned, fixed.box, fixed.pixel_size)
    return replace(on_grid, pixel_size=fixed.pixel_size, origin=fixed.origin)


def _best_of(moving: Map, centre: np.ndarray, fixed: Map, window: Window, symmetry: str, finest: float) -> Alignment:
    """The alignment of one hand: a grid of all orientations, the best of them refined, then at the finest resolution."""
    mates, eye = operators(symmetry), torch.eye(3, dtype=torch.float64)
    views = make_views(moving, replace(window, centre=centre), PLANES), make_views(fixed, window, PLANES)
    frames = rotations(orientation_grid(ORDER, symmetry))
    score = pair_score(*views)
    starts = distinct(scored(score, frames, torch.zeros(3, dtype=torch.float64)), mates, CANDIDATES)
    tops = climb(score, starts, Steps(5 * DEGREE, window.resolution / 4, eye), 4)
    tops = distinct(tops, mates, FINALISTS)
    window = replace(window, centre=views[1].centre, resolution=finest)
    turning = replace(window, centre=views[0].centre + tops[0].shift.numpy())
    fine = make_views(moving, turning, FINE_PLANES), make_views(fixed, window, FINE_PLANES)
    moved = torch.from_numpy(views[0].centre - fine[0].centre)
    finalists = [replace(pose, shift=pose.shift + moved) for pose in tops]
    best = climb(pair_score(*fine), finalists, Steps(2 * DEGREE, window.resolution / 12, eye), 5)[0]
    shift = fine[0].centre + best.shift.numpy() - best.rotation.numpy() @ fine[1].centre
    return Alignment(best.rotation.numpy(), shift, False, correlation(*fine, best), fine[0].resolution)


def pair_score(moving: Views, fixed: Views) -> Score:
    """The function of the module's head; the views must be on one grid."""
    weights = (moving.weights * fixed.weights).sqrt()
    eye, zero = torch.eye(3)[None], torch.zeros(1, 3)
    target = slices(fixed, eye, zero)[0] * weights
    target = target / (target.abs().square() / weights.clamp(min=1e-30)).sum().sqrt()

    def score(turns: Tensor, shifts: Tensor) -> Tensor:
        found = []
        step = max(1, BLOCK // len(weights))
        for r, t in zip(turns.float().split(step), shifts.float().split(step)):
            values = slices(moving, r, t)
            power = (values.real.square() + values.imag.square()) @ weights
            found.append((values @ target.conj()).real / power.sqrt())
        return torch.cat(found)

    return score


def correlation(moving: Views, fixed: Views, pose: Pose) -> float:
    """Correlation of the two maps in the sphere up to the finest resolution, every point of Fourier space with equal weight."""
    one = slices(moving, pose.rotation[None].float(), pose.shift[None].float())[0]
    other = slices(fixed, torch.eye(3)[None], torch.zeros(1, 3))[0]
    products = torch.stack([(one * other.conj()).real, one.abs().square(), other.abs().square()]).double() @ moving.radius.double()
    return float(products[0] / (products[1] * products[2]).sqrt())
