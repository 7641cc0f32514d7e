"""Picking without templates: whitened discs find the first particles, the profile of these finds them all."""

from dataclasses import dataclass

import numpy as np
import torch

from verglas.methods.picking.choose import Chosen, Limits, accepted, choose_picks, contest, expected_false
from verglas.methods.picking.contamination import contamination
from verglas.methods.picking.field import Field, make_field
from verglas.methods.picking.profile import disc, learnt_profile, radial_image
from verglas.methods.picking.scores import ScoreMaps, answer, whiten

ROUNDS = 3
DISCS = 4
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
        """Å: 0 means 0.6 of the smallest diameter, so that touching and slightly overlapping particles are all found."""
        return self.distance or 0.6 * self.smallest


def pick_blobs(micrograph: np.ndarray, pixel: float, options: BlobOptions, limits: Limits) -> Chosen:
    """Particles of the micrograph (ny, nx) of `pixel` Å."""
    return choose_picks(blob_scores(micrograph, pixel, options), limits)


def blob_scores(micrograph: np.ndarray, pixel: float, options: BlobOptions) -> ScoreMaps:
    """Score maps of the profile that the particles of this micrograph have, or of discs where there are too few to learn it from."""
    bad: np.ndarray | None = None
    for _ in range(2):
        field = make_field(micrograph, pixel, options.largest, options.lowpass / 4, options.white, bad)
        maps, xy = learn(field, options)
        if bad is not None or len(xy) < ENOUGH:
            break
        bad = contamination(field, xy, 0.5 * (options.smallest + options.largest))
        if not bad.any():
            break
    return maps


def learn(field: Field, options: BlobOptions) -> tuple[ScoreMaps, np.ndarray]:
    """Scores of discs of the given range, then ROUNDS times of the median profile of what is found; and the particles (N, 2) px of the last."""
    white = whiten(field, options.largest, options.lowpass)
    answers = torch.stack([answer(white, disc(field, float(d)).expand_as(white.channels)) for d in np.linspace(options.smallest, options.largest, DISCS)])
    maps = as_maps(field, answers.amax(0), (-answers).amax(0))
    xy = surest(maps, options)
    for _ in range(ROUNDS):
        if len(xy) < ENOUGH:
            break
        profiles = [learnt_profile(field, one.numpy(), xy, options.largest) for one in white.channels]
        z = answer(white, torch.stack([radial_image(field, one) for one in profiles]))
        maps = as_maps(field, z, -z)
        xy = surest(maps, options)
    return maps, xy


def surest(maps: ScoreMaps, options: BlobOptions) -> np.ndarray:
    """Positions (N, 2) px that are particles at an error rate of 5 %, without those far weaker than the others."""
    xy, z, _, decoys = contest(maps, options.apart / maps.pixel)
    good = accepted(expected_false(decoys, z), 0.05)
    return xy[:good][z[:good] > 0.6 * np.median(z[:good])] if good else xy[:0]


def as_maps(field: Field, best: torch.Tensor, decoy: torch.Tensor) -> ScoreMaps:
    """Cut to the micrograph; one template, no in-plane angle."""
    part = slice(0, field.size[0]), slice(0, field.size[1])
    zero = np.zeros(field.size, dtype=np.float32)
    return ScoreMaps(best[part].numpy(), decoy[part].numpy(), zero, zero, field.pixel, field.scale, field.offset)
