"""The tilt of the specimen, from the rings of all tiles at once: a plane of defocus."""

from collections.abc import Callable
from dataclasses import dataclass
from math import atan, atan2, hypot, pi

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize

from verglas.methods.ctffit.cells import cells
from verglas.methods.ctffit.estimate import CtfFit, estimate
from verglas.methods.ctffit.lens import Aim, Lens, rings, stretched
from verglas.methods.ctffit.search import Range
from verglas.methods.ctffit.spectrum import Spectrum, Tiles, of_tiles, powers

STEEPEST = 2.0
"""Tangent of the largest tilt that is searched (63 degrees)."""
_STEP = 60.0
"""Å of defocus between two places of the tables; they are interpolated by cubic splines."""
_CLEAR = 20.0
"""Log likelihood ratio to no tilt that noise does not reach."""
_LOOSE = 1500.0
"""Å: how far the defocus of the middle may be from that of the whole spectrum, which a tilt blurs."""


@dataclass(frozen=True)
class Tilt:
    """`angle` between specimen and image plane, `axis`: direction of the tilt axis from the x axis in [0, pi), their standard errors, all rad.
    slope (2,): defocus per Å along x and y; `axis` is at right angles to it. `gain`: log likelihood ratio to no tilt."""

    angle: float
    axis: float
    angle_error: float
    axis_error: float
    slope: tuple[float, float]
    gain: float


def estimate_tilted(image: np.ndarray, tiles: Tiles, lens: Lens, wanted: Range) -> tuple[Spectrum, CtfFit, Tilt | None]:
    """The spectrum corrected for the tilt, its fit (the defocus at the middle of the field), and the tilt: found from the fit of the plain
    spectrum, which a tilt blurs, and again from that of the corrected one. Where the plain spectrum has no good fit the tilt must be clear."""
    spectrum = of_tiles(image, tiles)
    plain = fit = estimate(spectrum, lens, wanted)
    for _ in range(2):
        found = tilt(image, tiles, lens, fit, wanted)
        if found is None or (plain.fault and found.gain < _CLEAR):
            return of_tiles(image, tiles), plain, None
        spectrum = corrected(image, tiles, lens, fit.aim, found.slope)
        fit = estimate(spectrum, lens, wanted)
    return spectrum, fit, found


def corrected(image: np.ndarray, tiles: Tiles, lens: Lens, aim: Aim, slope: tuple[float, float]) -> Spectrum:
    """The sum of the power of the tiles, each first stretched so that its rings lie where they are at the middle of the field.

    power(k) = sum over tiles of power_t(k'), gamma(aim + slope . place, k') = gamma(aim, k). k' falls between pixels of the tile (padded to
    twice its side): one of its neighbours is drawn, the nearer the likelier, which is right in the mean of many tiles and, unlike a mean of
    neighbours, leaves the noise of pixels independent, as the fit takes it to be.
    """
    half = tiles.box // 2
    y, x = np.mgrid[-half:half, 0:half + 1].astype(np.float64)
    r2 = np.maximum(x * x + y * y, 1.0)
    step = 1.0 / (tiles.box * tiles.pixel_size)
    k2, local = r2 * step**2, aim.mean + aim.a1 * (x * x - y * y) / r2 + aim.a2 * 2 * x * y / r2
    total, rng = np.zeros(x.shape, np.float32), np.random.default_rng(0)
    for power, place in zip(powers(image, tiles, 2), tiles.places):
        factor = 2.0 * np.sqrt(stretched(lens, local, float(np.dot(slope, place)), k2) / k2)
        total += power[_drawn(factor * y, 2 * half, rng), _drawn(factor * x, 2 * half, rng)]
    left = np.roll(total[::-1, 1:][:, ::-1], 1, axis=0)
    return Spectrum(np.ascontiguousarray(np.concatenate((left, total[:, :half]), axis=1)), tiles.pixel_size)


def _drawn(at: np.ndarray, middle: int, rng: np.random.Generator) -> np.ndarray:
    """The pixel below or above `at` px from the middle, so that its mean is `at`."""
    return np.clip(np.floor(at + rng.random(at.shape)).astype(int) + middle, 0, 2 * middle - 1)


def tilt(image: np.ndarray, tiles: Tiles, lens: Lens, fit: CtfFit, wanted: Range) -> Tilt | None:
    """The plane defocus(x, y) = mean + slope . (x, y) with the largest sum of the log likelihoods of all tiles; None with fewer than 6.

    The strength of the rings is that of `fit`, so that the likelihood of a tile depends on its defocus alone and is a table (`_tables`).
    Overlapping tiles see the same pixels: the sum is divided by how often they do.
    """
    if len(tiles.places) < 6:
        return None
    reach = float(np.abs(tiles.places).max())
    farthest = STEEPEST * float(np.hypot(*tiles.places.T).max()) + _LOOSE
    offsets = np.arange(max(-farthest, 1500.0 - fit.aim.mean), farthest + _STEP, _STEP)
    table = _tables(image, tiles, lens, fit, wanted, offsets) / _overlap(image.shape, tiles)
    start = _start(table, tiles.places, offsets, reach)
    curves = CubicSpline(offsets, table, axis=1)

    def loss(plane: np.ndarray) -> float:
        at = np.clip(plane[0] + tiles.places @ plane[1:] / reach, offsets[0], offsets[-1])
        return -float(sum(curves(one)[i] for i, one in enumerate(at)))

    best = minimize(loss, start, method="Nelder-Mead", options={"initial_simplex": start + np.vstack((np.zeros(3), 40.0 * np.eye(3))),
                                                              "xatol": 0.5, "fatol": 1e-3})
    flat = minimize(lambda z: loss(np.array([z[0], 0.0, 0.0])), best.x[:1], method="Nelder-Mead")
    covariance = np.linalg.pinv(_curvature(loss, best.x))[1:, 1:] / reach**2
    sx, sy = best.x[1:] / reach
    steep = hypot(float(sx), float(sy))
    along = best.x[1:] / max(steep * reach, 1e-9)
    errors = [max(0.0, float(one @ covariance @ one)) ** 0.5 for one in (along, np.array([-along[1], along[0]]))]
    return Tilt(atan(steep), float((atan2(sy, sx) + pi / 2) % pi), errors[0] / (1 + steep**2), min(pi / 2, errors[1] / max(steep, 1e-9)),
                (float(sx), float(sy)), float(flat.fun - best.fun))


def _tables(image: np.ndarray, tiles: Tiles, lens: Lens, fit: CtfFit, wanted: Range, offsets: np.ndarray) -> np.ndarray:
    """(T, D): log likelihood ratio sum of weight (data m C - m^2 C^2 / 2) / variance of tile t at the mean defocus of the fit plus offset d."""
    every = [cells(Spectrum(power, tiles.pixel_size), wanted.coarsest, wanted.finest) for power in powers(image, tiles)]
    strength = np.interp(every[0].k, fit.curves.k, fit.curves.strength).astype(np.float32)
    data = np.stack([(one.weight * one.data * strength / one.variance) for one in every])
    scale = np.array([1.0 / one.variance for one in every])
    table = np.empty((len(every), len(offsets)))
    for d, offset in enumerate(offsets):
        one = every[0]
        model = one.flat(rings(lens, fit.aim.moved(float(offset)), one.k2, one.cos2, one.sin2))
        norm = float((every[0].weight * (strength * model) ** 2).sum())
        table[:, d] = np.einsum("tar,ar->t", data, model) - 0.5 * norm * scale
    return table


def _overlap(shape: tuple[int, ...], tiles: Tiles) -> float:
    """How often a pixel of the field counts: the area of the tiles, less what their taper takes (a fifth of each side), over that of the field."""
    return max(1.0, len(tiles.corners) * (0.8 * tiles.side) ** 2 / float(np.prod(shape)))


def _start(table: np.ndarray, places: np.ndarray, offsets: np.ndarray, reach: float) -> np.ndarray:
    """(3,): offset of the middle and change along x and y over `reach`, Å, of the best plane on a grid of twice the step of the tables."""
    top = STEEPEST * reach
    half = top // (2 * _STEP)
    changes = np.arange(-half, half + 1) * 2 * _STEP
    middles = np.arange(-_LOOSE, _LOOSE + 1, 2 * _STEP)
    rows = np.arange(len(table))[:, None, None]
    best, found = -np.inf, np.zeros(3)
    for along_x in changes:
        along_y = changes[np.hypot(changes, along_x) <= top + 1.0]
        at = middles[None, :, None] + (places[:, :1] * along_x / reach)[:, :, None] + (places[:, 1:] * along_y / reach)[:, None, :]
        index = np.clip(np.rint((at - offsets[0]) / _STEP).astype(int), 0, len(offsets) - 1)
        score = table[rows, index].sum(0)
        if score.max() > best:
            best = float(score.max())
            m, j = divmod(int(np.argmax(score)), score.shape[1])
            found = np.array([middles[m], along_x, along_y[j]])
    return found


def _curvature(loss: Callable[[np.ndarray], float], at: np.ndarray, step: float = 15.0) -> np.ndarray:
    """(3, 3) second differences."""
    unit = step * np.eye(3)
    return np.array([[(loss(at + a + b) - loss(at + a - b) - loss(at - a + b) + loss(at - a - b)) / (4 * step * step) for b in unit] for a in unit])
