"""Picking without templates: balls of the given sizes find the first particles, the profile of these finds them all."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from verglas.methods.picking.choose import Chosen, Limits, accepted, choose_picks, contest, expected_false
from verglas.methods.picking.contamination import LUMP, RIM, contamination, outstanding
from verglas.methods.picking.field import Field, make_field
from verglas.methods.picking.profile import dome, learnt_profile, radial_image
from verglas.methods.picking.scores import ScoreMaps, Spectra, answer, energy, spectra

PLAIN, WHITE = 0.0, 1.0
"""Exponents of the power in the two filters."""
CLEARLY = 1.3
"""The second filter must be sure of so many times more particles."""
ROUNDS = 6
DOMES = 4
SEEDS = 0.2
"""The profile is first learnt from so many of the best, in parts of the number of particles for which there is room, sure or not."""
ENOUGH = 8
"""Particles that a profile is learnt from, at least."""


@dataclass(frozen=True)
class BlobOptions:
    """Diameters in Å from `smallest` to `largest`, details up to `lowpass` Å; `white`: particles are bright. distance Å between picks."""

    smallest: float
    largest: float
    lowpass: float = 20.0
    white: bool = False
    distance: float = 0.0

    @property
    def apart(self) -> float:
        """Å: 0 means 0.6 of the mean diameter and at most the smallest, so that neighbours that touch are found and lobes of one particle are not."""
        return self.distance or min(0.3 * (self.smallest + self.largest), self.smallest)


def pick_blobs(micrograph: np.ndarray, pixel: float, options: BlobOptions, limits: Limits) -> Chosen:
    """Particles of the micrograph (ny, nx) of `pixel` Å."""
    return choose_picks(blob_scores(micrograph, pixel, options), limits)


def blob_scores(micrograph: np.ndarray, pixel: float, options: BlobOptions) -> ScoreMaps:
    """Score maps of the profile that the particles of this micrograph have, or of balls where there are too few to learn it from.

    Rims are left out; lumps where more particles are found without them; at last what the particles found do not explain.
    """
    make = partial(make_field, micrograph, pixel, options.largest, options.lowpass / 4, options.white)
    field = make()
    left_out = outstanding(field, options.largest, RIM)
    field = make(left_out) if left_out.any() else field
    maps, xy = learn(field, options)
    lumps = outstanding(field, options.largest, LUMP) & ~left_out
    if lumps.any():
        without = make(left_out | lumps)
        other, more = learn(without, options)
        if len(more) > len(xy):
            field, maps, xy, left_out = without, other, more, left_out | lumps
    if len(xy) >= ENOUGH and (bad := contamination(field, xy, 0.5 * (options.smallest + options.largest)) & ~left_out).any():
        maps, _ = learn(make(bad | left_out), options)
    return maps


def learn(field: Field, options: BlobOptions) -> tuple[ScoreMaps, np.ndarray]:
    """Maps and particles (N, 2) px of the plain filter, which sees particles as a whole however they are turned, or of the whitened one, for uneven
    backgrounds, where that is sure of clearly more."""
    of = spectra(field, options.largest, options.lowpass)
    maps, xy = learn_with(of, options, PLAIN)
    full = learn_with(of, options, WHITE)
    maps, xy = full if len(full[1]) > CLEARLY * len(xy) else (maps, xy)
    if len(xy) >= ENOUGH:
        maps = replace(maps, centre=centres(field, xy, options), reach=options.smallest / 8)
    return maps, xy


def learn_with(of: Spectra, options: BlobOptions, exponent: float) -> tuple[ScoreMaps, np.ndarray]:
    """Scores of balls of the given range, then up to ROUNDS times of the median profile of what is found; those with most particles."""
    field = of.field
    answers = torch.stack([answer(of, dome(field, float(d)), exponent) for d in np.linspace(options.smallest, options.largest, DOMES)])
    maps = as_maps(field, answers.amax(0), (-answers).amax(0))
    xy = surest(maps, options)
    best, known = (maps, xy), np.empty((0, 2))
    room = field.size[0] * field.size[1] * (field.pixel / options.largest) ** 2
    xy = xy if len(xy) > SEEDS * room else contest(maps, options.apart / maps.pixel)[0][: int(SEEDS * room)]
    for _ in range(ROUNDS):
        if len(xy) < ENOUGH or (len(xy) == len(known) and np.abs(xy - known).max() < 0.2):
            break
        known = xy
        z = answer(of, radial_image(field, learnt_profile(field, field.image.numpy(), xy, options.largest)), exponent)
        maps = as_maps(field, z, -z)
        xy = surest(maps, options)
        best = (maps, xy) if len(xy) >= len(best[1]) else best
    return best


def centres(field: Field, xy: np.ndarray, options: BlobOptions) -> np.ndarray:
    """sum over two channels, the image and its energy, of X * P / var(X), with P the median profile of the particles at xy: (rows, columns)."""
    channels = (field, energy(field, options.largest, options.lowpass))
    total = torch.zeros_like(field.image)
    for one in channels:
        of = spectra(one, options.largest, options.lowpass)
        profile = radial_image(one, learnt_profile(one, one.image.numpy(), xy, options.largest))
        weight = of.passed / one.image[one.valid].var()
        total += torch.fft.irfft2(of.transform * torch.fft.rfft2(profile).conj() * weight, s=one.image.shape)
    return total[: field.size[0], : field.size[1]].numpy()


def surest(maps: ScoreMaps, options: BlobOptions) -> np.ndarray:
    """Positions (N, 2) px that are particles at an error rate of 5 %, without those far weaker than the others."""
    xy, z, _, decoys = contest(maps, options.apart / maps.pixel)
    good = accepted(expected_false(decoys, z), 0.05)
    return xy[:good][z[:good] > 0.6 * np.median(z[:good])] if good else xy[:0]


def as_maps(field: Field, best: torch.Tensor, decoy: torch.Tensor) -> ScoreMaps:
    """One template, no in-plane angle."""
    zero = np.zeros(field.size, dtype=np.float32)
    return ScoreMaps(best.numpy(), decoy.numpy(), zero, zero, field.pixel, field.scale, field.offset)
