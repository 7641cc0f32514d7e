"""Local searches: the orientations of a grid near each particle's prior orientation, with their Gaussian weight."""

from math import cos, pi, sin
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

_WIDTH = 3.0
"""Samples farther than this many standard deviations from the prior are left out."""
_BLOCK = 2_000_000
"""Candidates worked on at once."""


class LocalCandidates(NamedTuple):
    """Candidates of N particles as ragged lists: those of particle n are entries offsets[n] : offsets[n + 1].

    offsets (N + 1,) int64; rotation (K,) int64, rotation numbers of the grid, ascending directions; log_prior (K,)
    float32, whose exponentials sum to 1 for every particle.
    """

    offsets: Tensor
    rotation: Tensor
    log_prior: Tensor


class _Directions(NamedTuple):
    """Symmetry mates of D directions: `tree` holds S_s d_j at s * D + j; psi_zero (D,) is psi at in-plane angle 0."""

    tree: cKDTree
    directions: int
    in_plane: Tensor
    psi_count: int
    operators: Tensor

    @property
    def psi_step(self) -> float:
        return 2.0 * pi / self.psi_count


class _Pairs(NamedTuple):
    """(particle, direction) pairs sorted by particle, the operator of the nearest mate, the direction's log prior."""

    particle: np.ndarray
    direction: np.ndarray
    operator: np.ndarray
    log_prior: np.ndarray


def near(
    first: Tensor, psi_count: int, centres: Tensor, sigma_direction: float, sigma_psi: float, operators: Tensor
) -> LocalCandidates:
    """Orientations near `centres` (N, 3, 3) in a grid of D directions times psi_count in-plane angles; sigmas in rad.

    first (D, 3, 3): the matrices at in-plane angle 0, turned by i 2 pi / psi_count for the others; operators (S, 3, 3).
    Direction j is kept where the angle a between it and the nearest symmetry mate of the prior's is
    at most 3 sigma, with weight exp(-a^2 / (2 sigma_direction^2)); then the in-plane angles whose twist against
    that same mate A S is within 3 sigma_psi, likewise. Each of the two priors is normalised to 1; where nothing is that
    near the nearest sample gets all. RELION's prior mode, but for the in-plane angle, which is the twist between the two
    frames and not a difference of Euler psi.
    """
    mates = _symmetry_mates(first.to(torch.float64).cpu(), psi_count, operators)
    cone = 0.5 * (1.0 - cos(min(_WIDTH * sigma_direction, pi))) * mates.directions * len(operators)
    per_particle = (1.5 * cone + 1.0) * min(2.0 * _WIDTH * sigma_psi / mates.psi_step + 1.0, psi_count)
    block = int(np.clip(_BLOCK / per_particle, 1, 8192))
    counts, found, weights = [], [], []
    for start in range(0, len(centres), block):
        part = centres[start : start + block].to(torch.float64).cpu()
        pairs = _near_directions(mates, part[:, 2].numpy(), sigma_direction)
        count, rotation, weight = _with_psi(mates, part, pairs, sigma_psi)
        counts.append(np.bincount(pairs.particle, weights=count, minlength=len(part)).astype(np.int64))
        found.append(rotation)
        weights.append(weight)
    offsets = np.concatenate([np.zeros(1, np.int64), *(np.asarray(c) for c in counts)]).cumsum()
    rotation = np.concatenate([np.zeros(0, np.int64), *found])
    log_prior = np.concatenate([np.zeros(0, np.float32), *weights])
    return LocalCandidates(torch.from_numpy(offsets), torch.from_numpy(rotation), torch.from_numpy(log_prior))


def _symmetry_mates(first: Tensor, psi_count: int, operators: Tensor) -> _Directions:
    """All mates S_s d_j of the grid directions: nearest to a direction a where d_j is nearest to the mate a S_s."""
    group = operators.to(torch.float64).cpu()
    points = torch.einsum("sab,jb->sja", group, first[:, 2]).reshape(-1, 3)
    return _Directions(cKDTree(points.numpy()), len(first), first[:, :2].clone(), psi_count, group)


def _near_directions(mates: _Directions, axes: np.ndarray, sigma: float) -> _Pairs:
    """Directions within 3 sigma (rad) of each of the unit vectors `axes` (n, 3), else the nearest one."""
    reach = 2.0 * sin(min(_WIDTH * sigma, pi) / 2.0) + 1e-12
    found = cKDTree(axes).sparse_distance_matrix(mates.tree, reach, output_type="ndarray")
    alone = np.setdiff1d(np.arange(len(axes)), found["i"])
    chord_alone, node_alone = mates.tree.query(axes[alone])
    particle = np.concatenate([found["i"], alone]).astype(np.int64)
    node = np.concatenate([found["j"], node_alone]).astype(np.int64)
    chord = np.concatenate([found["v"], np.zeros_like(chord_alone)])
    operator, direction = np.divmod(node, mates.directions)
    key = particle * mates.directions + direction
    order = np.lexsort((chord, key))
    order = order[np.flatnonzero(np.diff(key[order], prepend=-1))]
    particle, chord = particle[order], chord[order]
    exponent = -0.5 * (2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)) / max(sigma, 1e-9)) ** 2
    total = np.bincount(particle, weights=np.exp(exponent), minlength=len(axes))
    return _Pairs(particle, direction[order], operator[order], exponent - np.log(total)[particle])


def _with_psi(
    mates: _Directions, centres: Tensor, pairs: _Pairs, sigma: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """In-plane angles within 3 sigma (rad) for each pair: counts (pairs,), rotation numbers (K,), log priors (K,)."""
    wanted = _wanted_psi(mates, centres, pairs) / mates.psi_step
    half = _WIDTH * sigma / mates.psi_step + 1e-9
    count = min(int(2.0 * half) + 1, mates.psi_count)
    number = np.ceil(wanted - min(half, 0.5 * mates.psi_count))[:, None] + np.arange(count)
    difference = number - wanted[:, None]
    near = np.abs(difference) <= half
    none = np.flatnonzero(~near.any(axis=1))
    number[none, 0], difference[none, 0], near[none, 0] = np.round(wanted[none]), 0.0, True
    exponent = np.where(near, -0.5 * (difference * (mates.psi_step / max(sigma, 1e-9))) ** 2, -np.inf)
    exponent += (pairs.log_prior - np.log(np.exp(exponent).sum(axis=1)))[:, None]
    rotation = pairs.direction[:, None] * mates.psi_count + np.mod(number, mates.psi_count).astype(np.int64)
    return near.sum(axis=1), rotation[near], exponent[near].astype(np.float32)


def _wanted_psi(mates: _Directions, centres: Tensor, pairs: _Pairs) -> np.ndarray:
    """In-plane angle (rad) on the grid, for each pair, that brings the grid's frame nearest to that of the prior's mate A S.

    For q = G A'^T, G the grid's matrix at angle 0 and A' = A S, the rotation Rz(psi) G has the largest trace with A' at
    psi = -atan2(q01 - q10, q00 + q11). Unlike differences of Euler psi this is right for top views, where rot and psi trade places.
    """
    grid = mates.in_plane[torch.from_numpy(pairs.direction)]
    mate = centres[torch.from_numpy(pairs.particle)] @ mates.operators[torch.from_numpy(pairs.operator)]
    q = torch.einsum("kac,kbc->kab", grid, mate[:, :2])
    return -np.asarray(torch.atan2(q[:, 0, 1] - q[:, 1, 0], q[:, 0, 0] + q[:, 1, 1]))
