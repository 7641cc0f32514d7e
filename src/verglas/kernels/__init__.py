"""The few hot operations: one signature each, chosen by the device of the tensors.

On the CPU the numba versions of `kernels.cpu` run, on a GPU (CUDA or ROCm) the Triton versions of `kernels.gpu`, where Triton is installed.
Shapes: N images, R or U slices, T shifts, P band pixels, S shells, K pairs, L hypotheses; see the definitions for the equations.
"""

import warnings
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from verglas.kernels import reference
from verglas.kernels.reference import Given as Given


@cache
def _on_gpu() -> Any:
    """`kernels.gpu`; the definitions where Triton is not installed, and that is said."""
    if find_spec("triton") is None:
        warnings.warn("Triton is not installed: the GPU runs plain torch, several times slower. pip install triton", RuntimeWarning, stacklevel=3)
        return reference
    from verglas.kernels import gpu

    return gpu


def _np(x: Tensor) -> np.ndarray:
    x = torch.view_as_real(x) if x.is_complex() else x
    return x.contiguous().numpy()


def _flat(x: Tensor) -> np.ndarray:
    """(N, P) complex64 as (N, 2P) float32."""
    return _np(x).reshape(x.shape[0], 2 * x.shape[1])


def cut(volume: Tensor, axes: Tensor, k: Tensor) -> Tensor:
    """Slices (R, P) of volume (D, D, H), see `reference.cut`; rotated copies of a plane (1, D, H), see `reference.plane`."""
    flat = volume.shape[0] == 1
    if volume.is_cuda:
        gpu = _on_gpu()
        return gpu.plane.cut(volume, axes, k) if flat else gpu.cut(volume, axes, k)
    from verglas.kernels.cpu import plane
    from verglas.kernels.cpu import slice as cpu

    out = torch.empty(len(axes), len(k), dtype=torch.complex64)
    (plane.cut if flat else cpu.cut)(_np(volume), _np(axes), _np(k), _flat(out))
    return out


def insert(data: Tensor, weight: Tensor, values: Tensor, weights: Tensor, axes: Tensor, k: Tensor) -> None:
    """Add slices to data and weight (D, D, H) in place; the transpose of `cut`; see `reference.add` and `reference.plane`.

    Where torch was told to be deterministic a GPU runs the definition: the Triton version adds in no fixed order.
    """
    flat = data.shape[0] == 1
    if data.is_cuda:
        gpu = reference if torch.are_deterministic_algorithms_enabled() else _on_gpu()
        return gpu.plane.add(data, weight, values, weights, axes, k) if flat else gpu.add(data, weight, values, weights, axes, k)
    from verglas.kernels.cpu import insert as cpu
    from verglas.kernels.cpu import plane

    if flat:
        return plane.add(_np(data), _np(weight), _flat(values), _np(weights), _np(axes), _np(k))
    return cpu.add(_np(data), _np(weight), _flat(values), _np(weights), _np(axes), _np(k), torch.get_num_threads())


def score(
    slices: Tensor, a: Tensor, b: Tensor, shifts: Tensor, prior: Tensor, image: Tensor, cut: Tensor, start: Tensor, shift: Tensor,
    fan: tuple[int, int] = (1, 1),
) -> Tensor:
    """Log-posteriors (L c m,) of chosen triples and their children; see `reference.score`."""
    if a.is_cuda:
        return _on_gpu().score(slices, a, b, shifts, prior, image, cut, start, shift, fan)
    from verglas.kernels.cpu import score as cpu

    out = torch.empty(len(shift) * fan[0] * fan[1])
    cpu.score(
        _flat(slices), _flat(a), _np(b), _flat(shifts), _np(prior), _np(image), _np(cut), _np(start), _np(shift), *fan, _np(out)
    )
    return out


def give(
    slices: Tensor, images: tuple[Tensor, Tensor, Tensor, Tensor], shifts: Tensor, pairs: tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
    bounds: Tensor, shells: Tensor, fan: tuple[int, int] = (1, 1),
) -> Given:
    """Sums over a posterior per fine rotation and per pair; see `reference.give`."""
    if shifts.is_cuda:
        return _on_gpu().give(slices, images, shifts, pairs, bounds, shells, fan)
    from verglas.kernels.cpu import give as cpu

    (a, b, x, c), (image, start, shift, weight, order), rows, pixels = images, pairs, len(bounds) - 1, shifts.shape[1]
    data, power, mass = torch.empty(rows * fan[0], pixels, dtype=torch.complex64), torch.empty(rows * fan[0], pixels), torch.empty(rows * fan[0])
    xa, aa, pair_mass = torch.empty(len(image), len(shells) - 1), torch.empty(len(image), len(shells) - 1), torch.empty(len(image))
    cpu.give(
        _flat(slices), (_flat(a), _np(b), _flat(x), _np(c)), _flat(shifts), (_np(image), _np(start), _np(shift), _np(weight), _np(order)),
        _np(bounds), _np(shells), fan[0], fan[1], (_flat(data), _np(power), _np(mass)), (_np(xa), _np(aa), _np(pair_mass)),
    )
    return Given(data, power, mass, xa, aa, pair_mass)


def threshold(logp: Tensor, start: Tensor, fraction: float, most: int = 1 << 62) -> tuple[Tensor, Tensor, Tensor]:
    """(least, evidence, best) of each image's hypotheses; see `reference.threshold`."""
    if logp.is_cuda:
        return _on_gpu().threshold(logp, start, fraction, most)
    from verglas.kernels.cpu import select as cpu

    images = len(start) - 1
    least, evidence = torch.empty(2, images, dtype=torch.float64)
    best = torch.empty(images, dtype=torch.int64)
    cpu.threshold(_np(logp), _np(start), fraction, most, _np(least), _np(evidence), _np(best))
    return least, evidence, best


def highest(logp: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """The largest logp of each image (N,) and where it is (N,); see `reference.highest`."""
    if logp.is_cuda:
        return _on_gpu().highest(logp, start)
    from verglas.kernels.cpu import select as cpu

    value, where = torch.empty(len(start) - 1), torch.empty(len(start) - 1, dtype=torch.int64)
    cpu.highest(_np(logp), _np(start), _np(value), _np(where))
    return value, where


def compact(logp: Tensor, start: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
    """The hypotheses that reach the threshold; see `reference.compact`."""
    if logp.is_cuda:
        return _on_gpu().compact(logp, start, least)
    from verglas.kernels.cpu import select as cpu

    kept = torch.zeros(len(start), dtype=torch.int64)
    cpu.count(_np(logp), _np(start), _np(least), _np(kept[1:]))
    kept = kept.cumsum(0)
    index = torch.empty(int(kept[-1]), dtype=torch.int64)
    cpu.compact(_np(logp), _np(start), _np(least), _np(kept), _np(index))
    return kept, index


def weigh(logp: Tensor, start: Tensor, least: Tensor, evidence: Tensor) -> Tensor:
    """Posterior probabilities, 0 below the threshold; see `reference.weigh`. On the CPU logp is overwritten."""
    if logp.is_cuda:
        return _on_gpu().weigh(logp, start, least, evidence)
    from verglas.kernels.cpu import select as cpu

    cpu.weigh(_np(logp), _np(start), _np(least), _np(evidence))
    return logp


def prune(
    moved: Tensor, slices: Tensor, power: Tensor, priors: tuple[Tensor, Tensor], margin: float, capacity: int
) -> tuple[Tensor, Tensor] | None:
    """The hypotheses near the best of a dense block, scored by one product, or None if they are too many; see `reference.prune`.

    On the CPU the product of bfloat16 operands is stored in bfloat16, and the margin widened by ROUNDING x the image's largest |product|.
    """
    if moved.is_cuda:
        return _on_gpu().prune(moved, slices, power, priors, margin, capacity)
    from verglas.kernels.cpu import prune as cpu

    start, index = cpu.prune(moved, slices, power, priors, margin)
    return None if len(index) > capacity else (start, index)


def symmetrise(data: Tensor, weight: Tensor, operators: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Sums over a point group (D, D, H); see `reference.symmetrise`."""
    if data.is_cuda:
        return reference.symmetrise(data, weight, operators, radius)
    from verglas.kernels.cpu import symmetrise as cpu

    new_data, new_weight = torch.zeros_like(data), torch.zeros_like(weight)
    cpu.symmetrise(_np(data), _np(weight), _np(operators.float()), radius, _np(new_data), _np(new_weight))
    return new_data, new_weight
